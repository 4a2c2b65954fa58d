"""Writes tests/sw/models/torch_*.onnx: small networks by both exporters of PyTorch, symbolic and static batch.

    python tests/sw/exporters/export_torch.py            # needs torch 2.13, onnxscript 0.7

The tests need only the files. Stack traces and names of source files are taken out of them.
"""

import math
import warnings
from collections.abc import Callable
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

MODELS = Path(__file__).parent.parent / "models"


class Block(nn.Module):
    """Two convolutions and a shortcut that has no parameters."""

    def __init__(self, shortcut: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.Conv2d(6, 6, 3, 1, 1, bias=False)
        self.norm1, self.norm2, self.shortcut = nn.BatchNorm2d(6), nn.BatchNorm2d(6), shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.second(functional.relu(self.norm1(self.first(x)))))
        return functional.relu(y + self.shortcut(x))


def padded(x: Tensor) -> Tensor:
    """He et al. 2015, option A, as a slice and a pad."""
    return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 1, 1))


def zeros(x: Tensor) -> Tensor:
    """The same with zeros of the batch's size."""
    x = functional.avg_pool2d(x, 1, 2)
    return torch.cat((x, torch.zeros(x.size(0), 2, x.size(2), x.size(3))), 1)


class Head(nn.Module):
    """A convolution, and one of the ways to flatten its map."""

    def __init__(self, flatten: Callable[[Tensor], Tensor], features: int) -> None:
        super().__init__()
        self.conv, self.norm, self.flatten = nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), flatten
        self.dense = nn.Linear(features, 5)

    def forward(self, x: Tensor) -> Tensor:
        return functional.log_softmax(
            self.dense(self.flatten(functional.relu6(self.norm(self.conv(x))))), dim=1
        )


class Same(nn.Module):
    """TensorFlow's padding computed from the input's size, as timm and EfficientNet have it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.depthwise = nn.Conv2d(3, 6, 3, 2), nn.Conv2d(6, 6, 3, 2, groups=6)

    def forward(self, x: Tensor) -> Tensor:
        for conv in (self.conv, self.depthwise):
            h, w = x.size()[-2:]
            rows = max((math.ceil(h / 2) - 1) * 2 + 3 - h, 0)
            cols = max((math.ceil(w / 2) - 1) * 2 + 3 - w, 0)
            x = functional.relu(
                conv(functional.pad(x, [cols // 2, cols - cols // 2, rows // 2, rows - rows // 2]))
            )
        return x.mean((2, 3))


class Several(nn.Module):
    """Three outputs, one of them a map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.one, self.two = nn.Conv2d(3, 4, 3, 1, 1), nn.Linear(4, 3), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = functional.relu(self.conv(x))
        y = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.one(y), self.two(y), x


class Norms(nn.Module):
    """BatchNormalization first, before a ReLU, behind a Flatten and behind a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.BatchNorm2d(c) for c in (3, 4, 4, 4)])
        self.flat, self.last = nn.BatchNorm1d(16), nn.BatchNorm1d(8)
        self.convs = nn.ModuleList([nn.Conv2d(3, 4, 3, 1, 1), *(nn.Conv2d(4, 4, 3, 1, 1) for _ in range(2))])
        self.dense, self.output = nn.Linear(16, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.convs[0](self.norms[0](x))
        x = x + self.convs[2](
            functional.relu(self.norms[2](self.convs[1](functional.relu(self.norms[1](x)))))
        )
        x = functional.max_pool2d(functional.relu(self.norms[3](x)), 4)
        return self.output(functional.relu(self.last(self.dense(self.flat(x.flatten(1))))))


class Shuffle(nn.Module):
    """ShuffleNet: halves of the channels, one convolved, both shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, 1, 1, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        one, two = x.chunk(2, 1)
        x = torch.cat((one, functional.relu(self.conv(torch.cat((two, two), 1)))[:, :2]), 1)
        n, c, h, w = x.size()
        return functional.relu(x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w))


class Squeeze(nn.Module):
    """Squeeze and excitation (Hu et al., CVPR 2018), by convolutions of one pixel or by dense layers."""

    def __init__(self, channels: int, act: nn.Module, gate: nn.Module, dense: bool = False) -> None:
        super().__init__()
        self.act, self.gate, self.dense = act, gate, dense
        kind = nn.Linear if dense else lambda a, b: nn.Conv2d(a, b, 1)
        self.down, self.up = kind(channels, channels // 2), kind(channels // 2, channels)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.adaptive_avg_pool2d(x, 1)
        if self.dense:
            y = self.gate(self.up(self.act(self.down(y.view(x.size(0), -1))))).view(
                x.size(0), x.size(1), 1, 1
            )
            return x * y.expand_as(x)
        return x * self.gate(self.up(self.act(self.down(y))))


class Inverted(nn.Module):
    """MobileNet's block: wider, depthwise, squeeze and excitation, narrower, a residual where it fits."""

    def __init__(
        self, sizes: tuple[int, int, int], kernel: int, stride: int, act: nn.Module, squeeze: nn.Module
    ) -> None:
        super().__init__()
        inputs, inside, outputs = sizes
        self.residual = stride == 1 and inputs == outputs
        self.body = nn.Sequential(
            nn.Conv2d(inputs, inside, 1, bias=False), nn.BatchNorm2d(inside), act,
            nn.Conv2d(inside, inside, kernel, stride, kernel // 2, groups=inside, bias=False), nn.BatchNorm2d(inside),
            act, squeeze, nn.Conv2d(inside, outputs, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x) if self.residual else self.body(x)


def mobilenet() -> nn.Module:
    """MobileNetV3 (Howard et al., ICCV 2019), small."""
    swish, gate, relu = nn.Hardswish(), nn.Hardsigmoid(), nn.ReLU()
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), swish,
        Inverted((8, 12, 8), 3, 1, relu, Squeeze(12, relu, gate)),
        Inverted((8, 20, 12), 5, 2, swish, Squeeze(20, relu, gate)),
        Inverted((12, 20, 12), 3, 1, swish, nn.Identity()),
        nn.Conv2d(12, 20, 1, bias=False), nn.BatchNorm2d(20), swish,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 16), swish, nn.Linear(16, 5),
    )  # fmt: skip


def efficientnet() -> nn.Module:
    """EfficientNet (Tan and Le, ICML 2019), small."""
    silu, gate = nn.SiLU(), nn.Sigmoid()
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), silu,
        Inverted((8, 16, 8), 3, 1, silu, Squeeze(16, silu, gate)),
        Inverted((8, 16, 12), 3, 2, silu, Squeeze(16, silu, gate, dense=True)),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(12, 5), nn.Sigmoid(),
    )  # fmt: skip


class Spelled(nn.Module):
    """Activation functions as people write them before a framework has them."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(3 if i == 0 else 4, 4, 3, 1, 1) for i in range(6)])

    def forward(self, x: Tensor) -> Tensor:
        x = self.convs[0](x)
        x = self.convs[1](x * functional.relu6(x + 3) / 6)
        x = self.convs[2](x * torch.sigmoid(1.5 * x))
        x = self.convs[3](torch.max(x, 0.1 * x))
        x = self.convs[4](x * torch.tanh(torch.log(1 + torch.exp(x))))
        x = self.convs[5](0.5 * x * (1 + torch.erf(x / math.sqrt(2))))
        return x * (functional.relu6(x + 3) / 6)


def functions() -> nn.Module:
    """One of each, between convolutions."""
    acts = [
        nn.LeakyReLU(0.1), nn.PReLU(), nn.PReLU(4), nn.ELU(), nn.Tanh(), nn.Sigmoid(), nn.Softplus(), nn.Mish(),
        nn.GELU(), nn.GELU("tanh"), nn.SELU(), nn.Softsign(), nn.Hardtanh(-0.4, 0.8),
    ]  # fmt: skip
    convs = [nn.Conv2d(3 if i == 0 else 4, 4, 1) for i in range(len(acts))]
    return nn.Sequential(
        *(part for pair in zip(convs, acts, strict=True) for part in pair), nn.Conv2d(4, 2, 1)
    )


def dropouts() -> nn.Module:
    """LeNet's shape: an even kernel, padding "same", Hardtanh, both kinds of Dropout, Softmax."""
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, bias=False), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout2d(),
        nn.Conv2d(4, 4, (3, 1), padding="same"), nn.Hardtanh(0, 4),
        nn.AvgPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(36, 5), nn.Softmax(1),
    )  # fmt: skip


FLATTENS: dict[str, tuple[Callable[[Tensor], Tensor], int]] = {
    "view": (lambda x: x.view(x.size(0), -1), 64),
    "view_sizes": (lambda x: x.view(-1, x.size(1) * x.size(2) * x.size(3)), 64),
    "view_mean": (lambda x: x.view(x.size(0), x.size(1), -1).mean(2), 4),
    "mean": (lambda x: x.mean([2, 3]), 4),
    "squeeze": (lambda x: functional.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1), 4),
    "flatten": (lambda x: torch.flatten(functional.adaptive_avg_pool2d(x, (1, 1)), 1), 4),
    "channels_last": (lambda x: x.permute(0, 2, 3, 1).reshape(x.shape[0], -1), 64),
}
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "padded": (lambda: Block(padded), (4, 8, 8)),
    "zeros": (lambda: Block(zeros), (4, 8, 8)),
    "same": (Same, (3, 9, 8)),
    "several": (Several, (3, 6, 6)),
    "norms": (Norms, (3, 8, 8)),
    "shuffle": (Shuffle, (4, 5, 5)),
    "dropouts": (dropouts, (1, 16, 16)),
    "mobilenet": (mobilenet, (3, 12, 12)),
    "efficientnet": (efficientnet, (3, 12, 12)),
    "spelled": (Spelled, (3, 5, 5)),
    "functions": (functions, (3, 4, 4)),
    **{name: (lambda flatten=flatten: Head(*flatten), (3, 8, 8)) for name, flatten in FLATTENS.items()},
}


def random_statistics(network: nn.Module) -> nn.Module:
    """As training would leave them: not 0 and 1."""
    for module in network.modules():
        if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm1d)):
            module.running_mean.normal_(0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
    return network.eval()


def export(name: str, dynamo: bool, static: bool) -> None:
    """One file."""
    torch.manual_seed(1)
    make, shape = NETWORKS[name]
    network, image = random_statistics(make()), torch.randn(1 if static else 2, *shape)
    path = (
        MODELS / f"torch_{name}_{'dynamo' if dynamo else 'script'}_{'static' if static else 'symbolic'}.onnx"
    )
    if dynamo:
        shapes = None if static else ({0: torch.export.Dim("batch")},)
        torch.onnx.export(
            network, (image,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, verbose=False
        )
    else:
        torch.onnx.export(
            network, image, path, dynamo=False, opset_version=11 if static else 13, input_names=["image"],
            dynamic_axes=None if static else {"image": {0: "batch"}}, do_constant_folding=not static,
        )  # fmt: skip
    model = onnx.load(path)
    del model.metadata_props[:], model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output):
        part.doc_string = ""
        del part.metadata_props[:]
    onnx.save(model, path)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    MODELS.mkdir(exist_ok=True)
    for each in NETWORKS:
        for by_dynamo, fixed in ((False, False), (False, True), (True, False), (True, True)):
            with torch.no_grad():
                export(each, by_dynamo, fixed)
