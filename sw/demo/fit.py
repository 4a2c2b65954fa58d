"""The training loop and the ONNX export (PyTorch, an optional dependency).

Stochastic gradient descent with Nesterov momentum, a one-cycle learning rate, weight decay on the weights of
convolutions and classifier, label smoothing. All of it was chosen on the validation images.
"""

import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from . import data
from .network import FashionNet, augment

BATCH = 256
PEAK_RATE = 0.3
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
LABEL_SMOOTHING = 0.05
OPSET = 17


def _batches(images: data.Images, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """One epoch of augmented, normalised batches in random order; the incomplete last one is dropped."""
    pixels, labels = torch.tensor(images.pixels[..., 0]), torch.tensor(images.labels, dtype=torch.long)
    order = torch.randperm(len(images), generator=generator)
    for index in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
        grey = augment(pixels[index], generator).unsqueeze(1)
        yield (grey / data.SCALE - data.MEAN) / data.STD, labels[index]


def _optimizer(network: nn.Module, steps: int) -> tuple[torch.optim.SGD, torch.optim.lr_scheduler.OneCycleLR]:
    """Weights decay; the BatchNorm parameters and the bias, vectors all, do not."""
    groups = [
        {"params": [p for p in network.parameters() if p.ndim > 1], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in network.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=PEAK_RATE, momentum=MOMENTUM, nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_RATE, total_steps=steps, pct_start=0.2, cycle_momentum=False, final_div_factor=1e3
    )
    return optimizer, schedule


def _lay_out(network: nn.Module, layout: torch.memory_format) -> None:
    """Store the weights of the convolutions in ``layout``."""
    for parameter in network.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=layout)


def accuracy(network: nn.Module, images: data.Images) -> float:
    """Top-1 accuracy, 0..1, in evaluation mode."""
    network.eval()
    right = 0
    with torch.inference_mode():
        for start in range(0, len(images), 500):
            part = images.take(slice(start, start + 500))
            logits = network(torch.from_numpy(data.normalize(part.pixels)))
            right += int((logits.argmax(1) == torch.tensor(part.labels)).sum())
    return right / len(images)


def fit(
    training: data.Images, validation: data.Images, epochs: int, seed: int, threads: int
) -> tuple[FashionNet, float, float]:
    """Train; return the network in evaluation mode, its top-1 accuracy on ``validation``, and seconds.

    The seconds are epochs times the median epoch, so that a busy spell of the machine counts little.
    One line of progress an epoch goes to standard error. The last epoch's network is the result: the
    validation images choose settings, not epochs.
    """
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network = FashionNet()
    _lay_out(network, torch.channels_last)  # a third faster on a CPU
    optimizer, schedule = _optimizer(network, epochs * (len(training) // BATCH))
    criterion = nn.CrossEntropyLoss(label_smoothing=LABEL_SMOOTHING)
    top1 = 0.0
    seconds: list[float] = []
    for epoch in range(1, epochs + 1):
        started = time.monotonic()
        network.train()
        losses = []
        for images, labels in _batches(training, generator):
            optimizer.zero_grad()
            loss = criterion(network(images.contiguous(memory_format=torch.channels_last)), labels)
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        top1 = accuracy(network, validation)
        seconds.append(time.monotonic() - started)
        print(
            f"epoch {epoch:3}/{epochs}  loss {sum(losses) / len(losses):.4f}  "
            f"validation {100 * top1:.2f} %  {seconds[-1]:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    return network, top1, epochs * statistics.median(seconds)


def _unshare(path: Path) -> None:
    """Give every parameter an initializer of its own.

    The exporter keeps one of two equal parameters and an Identity node for the other. That happens here: the
    offsets of the two BatchNorms before an addition get equal gradients from equal initial values.
    """
    model = onnx.load(path)
    initializers = {array.name: array for array in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Identity"]:
        copy = onnx.TensorProto()
        copy.CopyFrom(initializers[node.input[0]])
        copy.name = node.output[0]
        model.graph.initializer.append(copy)
        model.graph.node.remove(node)
    onnx.save(model, path)


def export(network: FashionNet, path: Path) -> None:
    """Write ``network`` as ONNX, batch axis ``N``, with its BatchNormalization nodes.

    They are not folded: a user's file has them, and folding is the work of the front end.
    """
    network.eval()
    _lay_out(network, torch.contiguous_format)
    torch.onnx.export(
        network,
        (torch.zeros(1, 1, 28, 28),),
        str(path),
        dynamo=False,  # the TorchScript exporter keeps BatchNormalization and needs no further package
        training=torch.onnx.TrainingMode.PRESERVE,
        do_constant_folding=False,
        opset_version=OPSET,
        input_names=["image"],
        output_names=["logits"],
        dynamic_axes={"image": {0: "N"}, "logits": {0: "N"}},
    )
    _unshare(path)
