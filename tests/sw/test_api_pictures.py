"""Models compared, pictures: numbers against those of other commands."""

from pathlib import Path
from typing import Any

import pytest
from systolith.sw import api
from systolith.sw.cli import main


@pytest.fixture(scope="module")
def models(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    coarse = tmp_path_factory.mktemp("coarse") / "q"
    api.quantize(
        tiny.model, tiny.images, coarse, preprocessing=tiny.preprocessing, wgt_width=2, per_channel=True
    )
    return {"8 bits": tiny.quantized, "2 bits": coarse}


def test_comparison_is_that_of_evaluate(
    tiny: Any, models: dict[str, Path], tmp_path: Path, capsys: Any
) -> None:
    found = api.compare(models, tiny.images, count=16)
    for name, directory in models.items():
        alone = api.evaluate(directory, tiny.images, count=16)
        row = found.rows[name]
        assert row.agreement == pytest.approx(alone.agreement) and row.top1 == alone.top1_int
        assert row.top1_float == alone.top1_float
    assert found.images == 16 and found.bits == {"8 bits": 8.0, "2 bits": 2.0}
    assert found.rows["8 bits"].sqnr_db > found.rows["2 bits"].sqnr_db
    words = found.to_text()
    assert repr(found) == words and f"{found.rows['2 bits'].sqnr_db:.2f}" in words
    assert found.to_json()["models"]["2 bits"]["wgt_bits"] == 2.0
    image = tmp_path / "c.png"
    assert (
        main(["compare", *map(str, models.values()), "--images", str(tiny.images), "--picture", str(image)])
        == 0
    )
    assert image.read_bytes().startswith(b"\x89PNG") and "SQNR dB" in capsys.readouterr().out
    with pytest.raises(ValueError, match="at least one quantized model"):
        api.compare({}, tiny.images)


def test_pictures_of_layers(models: dict[str, Path], tmp_path: Path) -> None:
    loaded = api.load_quantized(models["2 bits"])
    drawn = {layer.name: api.layer_picture(loaded, layer.name) for layer in loaded.network.layers}
    assert all(item.png.startswith(b"\x89PNG") for item in drawn.values())
    assert len({item.png for item in drawn.values()}) == len(drawn)
    first = next(iter(drawn))
    assert api.layer_picture(models["2 bits"], first) == drawn[first]
    path = drawn[first].save(tmp_path / "layer.png")
    assert api.picture(path)._repr_png_() == drawn[first].png
    with pytest.raises(ValueError, match="layer must be one of .*, not 'conv99'"):
        api.layer_picture(loaded, "conv99")
    (tmp_path / "no.png").write_text("text")
    with pytest.raises(ValueError, match="is no PNG file"):
        api.picture(tmp_path / "no.png")


def test_demo_files_exist() -> None:
    found = api.demo_files()
    assert found.model.is_file() and found.calibration.is_file() and found.images.is_file()
