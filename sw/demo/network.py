"""The demo network in PyTorch (an optional dependency): a residual CNN for 28x28 grey images.

Channel counts are multiples of 16, the first input and the last output apart; every activation is a ReLU.
"""

import torch
from torch import Tensor, nn


def _conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution without bias (a BatchNorm follows); padding keeps the size at stride 1."""
    return nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False)


class Residual(nn.Module):
    """``out = relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut(x))``.

    Both convolutions are 3x3 and the first has the stride. The shortcut is the identity where the shape
    allows, otherwise a 1x1 convolution of the same stride with its BatchNorm.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, out_channels, 3, stride)
        self.norm1 = nn.BatchNorm2d(out_channels)
        self.relu1 = nn.ReLU()
        self.conv2 = _conv(out_channels, out_channels, 3)
        self.norm2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU()
        self.shortcut = nn.Sequential()
        if stride != 1 or in_channels != out_channels:
            self.shortcut.add_module("conv", _conv(in_channels, out_channels, 1, stride))
            self.shortcut.add_module("norm", nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        """Maps of ``out_channels``, height and width divided by ``stride``."""
        main = self.relu1(self.norm1(self.conv1(x)))
        main = self.norm2(self.conv2(main))
        out: Tensor = self.relu2(main + self.shortcut(x))
        return out


class FashionNet(nn.Module):
    """Logits [N, 10] from normalised images [N, 1, 28, 28]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential()
        self.stem.add_module("conv", _conv(1, 16, 3))
        self.stem.add_module("norm", nn.BatchNorm2d(16))
        self.stem.add_module("relu", nn.ReLU())
        self.block1 = Residual(16, 16)  # 28x28
        self.block2 = Residual(16, 32, stride=2)  # 14x14
        self.pool = nn.MaxPool2d(2)  # 7x7
        self.block3 = Residual(32, 32)
        self.block4 = Residual(32, 64)
        self.average = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(64, 10)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        x = self.block2(self.block1(self.stem(x)))
        x = self.block4(self.block3(self.pool(x)))
        logits: Tensor = self.classifier(self.flatten(self.average(x)))
        return logits


def augment(pixels: Tensor, generator: torch.Generator, shift: int = 2, hole: int = 8) -> Tensor:
    """Augmented copies of ``pixels`` [N, 28, 28] uint8.

    Half of them are mirrored, all are shifted by -shift..shift in y and x (zeros move in), and in half of
    them a square of hole x hole pixels, cut off at the border, is set to the mean grey, 73.
    """
    count, height, width = pixels.shape

    def draw(low: int, high: int) -> Tensor:
        return torch.randint(low, high, (count, 1), generator=generator)

    rows = torch.arange(height) + draw(0, 2 * shift + 1)
    cols = torch.arange(width) + draw(0, 2 * shift + 1)
    cols = torch.where(draw(0, 2) == 1, cols.flip(1), cols)
    padded = nn.functional.pad(pixels, (shift, shift, shift, shift))
    moved = padded[torch.arange(count)[:, None, None], rows[:, :, None], cols[:, None, :]]
    top = draw(-hole // 2, height - hole // 2)
    left = draw(-hole // 2, width - hole // 2)
    y, x = torch.arange(height), torch.arange(width)
    in_rows = (y >= top) & (y < top + hole) & (draw(0, 2) == 1)
    in_cols = (x >= left) & (x < left + hole)
    return torch.where(in_rows[:, :, None] & in_cols[:, None, :], 73, moved)
