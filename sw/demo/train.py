"""Train the demo network on Fashion-MNIST and write everything that the demo uses.

``python -m systolith.sw.demo.train -o DIR`` writes fashion.onnx, fashion_test.npz, fashion_calib.npz and
README.md. Deterministic: the same seed, threads and PyTorch build on the same kind of processor give the
same network.
"""

import argparse
import importlib.util
import math
import os
import sys
from pathlib import Path

from . import card, data

EPOCHS = 32
SEED = 1
THREADS = 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m systolith.sw.demo.train",
        description="Train the demo CNN on Fashion-MNIST and write fashion.onnx, fashion_test.npz, "
        "fashion_calib.npz and README.md. Needs PyTorch: pip install systolith[train].",
        epilog=f"The images come with the Debian package {data.DEBIAN_PACKAGE}; any folder that holds the "
        "four published .gz files will do. The package already contains the results of the default settings: "
        "train only to change them.",
    )
    add = parser.add_argument
    add("-o", "--output", default=Path("build/demo"), type=Path, metavar="DIR",
        help="folder to write to, made if absent (default: %(default)s)")  # fmt: skip
    add("--data", default=data.DEFAULT_FOLDER, type=Path, metavar="DIR",
        help="folder of the Fashion-MNIST .gz files (default: %(default)s)")  # fmt: skip
    add("--epochs", default=EPOCHS, type=int, metavar="N",
        help="passes over the 55,000 training images (default: %(default)s)")  # fmt: skip
    add("--seed", default=SEED, type=int, metavar="N",
        help="seed of initial weights, order and augmentation (default: %(default)s)")  # fmt: skip
    add("--threads", default=THREADS, type=int, metavar="N",
        help="CPU threads; another number rounds differently (default: %(default)s)")  # fmt: skip
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    args = _parser().parse_args(argv)
    for name in ("epochs", "threads"):
        if getattr(args, name) < 1:
            print(f"error: --{name} must be a positive integer, not {getattr(args, name)}", file=sys.stderr)
            return 2
    if importlib.util.find_spec("torch") is None:
        print("error: training needs PyTorch, which is absent: pip install systolith[train]", file=sys.stderr)
        return 2
    try:
        train, test = data.read(args.data, "train"), data.read(args.data, "t10k")
    except (FileNotFoundError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Spinning at barriers made training four times slower on a busy machine. Read when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    from . import fit

    args.output.mkdir(parents=True, exist_ok=True)
    training, validation, calibration = data.split(train)
    network, validation_top1, seconds = fit.fit(training, validation, args.epochs, args.seed, args.threads)

    path = args.output / "fashion.onnx"
    fit.export(network, path)
    test.take(slice(data.TEST_IMAGES)).save(args.output / "fashion_test.npz")
    calibration.save(args.output / "fashion_calib.npz")
    card.check(path)
    results = card.Results(
        epochs=args.epochs, seed=args.seed, threads=args.threads, minutes=math.ceil(seconds / 60),
        validation_top1=validation_top1, test_top1=card.top1(path, test),
        sample_top1=card.top1(path, test.take(slice(data.TEST_IMAGES))),
    )  # fmt: skip
    (args.output / "README.md").write_text(card.readme(path, results), encoding="utf-8")
    print(f"{path}: top-1 {100 * results.test_top1:.2f} % of {len(test):,} test images", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
