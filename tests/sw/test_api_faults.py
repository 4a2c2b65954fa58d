"""A wrong weight on purpose: verify names the layer and the place, and nothing else is touched."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from systolith.sw import api, integer_reference


def test_verify_names_the_place(tiny: Any, fake: Any, tmp_path: Path) -> None:
    model = api.load_quantized(tiny.quantized)
    convs = [layer for layer in model.network.layers if layer.kind == "conv"]
    layer, index = convs[2], (3, 0, 0, 0)
    assert layer.wgt is not None
    code = -128 if layer.wgt[index] >= 0 else 127
    broken = api.with_weight(tiny.quantized, layer.name, index, code)
    api.compile(broken, tiny.config, tmp_path / "broken.program")
    found = api.verify(tiny.quantized, tiny.images, config=tiny.config, program=tmp_path / "broken.program")
    assert not found.ok and found.first_mismatch is not None
    loaded = api.load_images(tiny.images, model.network.image_shape).first(1)
    codes = model.network.input_codes(model.preprocessing.apply(loaded.images))
    good, bad = (integer_reference.run(item.network, codes, "all") for item in (model, broken))
    y, x, channel = np.argwhere(good[layer.output][0] != bad[layer.output][0])[0].tolist()
    first = found.first_mismatch
    assert (first.tensor, first.y, first.x, first.channel) == (layer.output, y, x, channel) and channel == 3
    assert (first.expected, first.got) == (good[layer.output][0, y, x, 3], bad[layer.output][0, y, x, 3])
    assert f"tensor {layer.output!r}" in found.verdict()
    for mine, theirs in zip(model.network.layers, broken.network.layers, strict=True):
        changed = mine.wgt is not None and not np.array_equal(mine.wgt, theirs.wgt)
        assert changed == (mine.name == layer.name)
    assert layer.wgt[index] != code  # the model itself is as it was


def test_what_is_no_weight(tiny: Any) -> None:
    name = next(
        layer.name for layer in api.load_quantized(tiny.quantized).network.layers if layer.kind == "conv"
    )
    with pytest.raises(ValueError, match="layer must be one of"):
        api.with_weight(tiny.quantized, "absent", (0, 0, 0, 0), 1)
    with pytest.raises(ValueError, match="index must be k, c, r, s inside"):
        api.with_weight(tiny.quantized, name, (0, 0, 0, 3), 1)
    with pytest.raises(ValueError, match=r"code must be a weight of 8 bits, -128\.\.127, not 128"):
        api.with_weight(tiny.quantized, name, (0, 0, 0, 0), 128)
