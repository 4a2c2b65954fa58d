"""What inputs a layer can expect, without an image: the basis of the data-free bias correction.

``b'[k] = b[k] - sum_{c,r,s} (q - w)[k,c,r,s] * E[x[c]]``         (Nagel et al., ICCV 2019, section 4.2)

Sums are taken as Gaussian: of BatchNormalization's mean and deviation where the file has them, else of
mean = b + sum w E[x] and variance = sum w**2 Var[x], inputs independent. A residual operand adds its mean and
its variance. Bounds lo..hi clip them; with a = (lo - mean) / dev, z = (hi - mean) / dev, phi and Phi the
Gaussian's density and distribution

    E[x]    = lo Phi(a) + hi (1 - Phi(z)) + mean (Phi(z) - Phi(a)) + dev (phi(a) - phi(z))
    E[x**2] = lo**2 Phi(a) + hi**2 (1 - Phi(z)) + (mean**2 + dev**2) (Phi(z) - Phi(a))
              + dev (mean + lo) phi(a) - dev (mean + hi) phi(z)

Averages keep the mean (the variance falls with the window); a maximum's is taken as its input's; a table's moments
are those of f over the Gaussian, by Gauss-Hermite quadrature; factors of a product are taken as independent. The
border, where windows reach zeros, is not told apart.
"""

from __future__ import annotations

import math

import numpy as np

from .arithmetic import FloatArray
from .functions import Function
from .protocol import Network, RealLayer
from .real_layer import window_pixels

__all__ = ["clipped_moments", "expected_inputs"]

_POINTS = 32
Moments = tuple[FloatArray, FloatArray]
"""(mean, variance), each [C]."""


def expected_inputs(network: Network, mean: FloatArray, variance: FloatArray) -> dict[str, FloatArray]:
    """E[x] [C] of every tensor, from mean and variance [C] of the network's input."""
    known: dict[str, Moments] = {
        network.input: (np.asarray(mean, np.float64), np.asarray(variance, np.float64))
    }
    for layer in network.layers:
        known[layer.output] = _through(layer, [known[name] for name in layer.inputs])
    return {name: moments[0] for name, moments in known.items()}


def _through(layer: RealLayer, inputs: list[Moments]) -> Moments:
    mean, variance = inputs[0]
    if layer.kind == "concat":
        return np.concatenate([m for m, _ in inputs]), np.concatenate([v for _, v in inputs])
    if layer.kind == "avgpool":
        variance = variance / window_pixels(layer)
    elif layer.kind == "conv" and layer.weight is not None:
        if layer.pre_mean is not None and layer.pre_std is not None:
            mean, variance = (
                np.asarray(layer.pre_mean, np.float64),
                np.square(layer.pre_std, dtype=np.float64),
            )
        else:
            mean, variance = _sums(layer, layer.weight, mean, variance)
    elif layer.function is not None:
        mean, variance = _of_function(layer.function, mean, variance)
    elif layer.kind == "product":
        (gate, spread) = inputs.pop()
        square = (variance + mean**2) * (spread + gate**2)
        mean = mean * gate
        variance = square - mean**2
    for other, spread in inputs[1:]:
        mean, variance = mean + other, variance + spread
    return clipped_moments(mean, variance, layer.lo, layer.hi)


def _of_function(function: Function, mean: FloatArray, variance: FloatArray) -> Moments:
    points, weights = np.polynomial.hermite_e.hermegauss(_POINTS)
    values = np.nan_to_num(function(mean + np.sqrt(np.maximum(variance, 0.0)) * points[:, None]))
    weights = weights / weights.sum()
    first = weights @ values
    return first, np.maximum(weights @ np.square(values) - np.square(first), 0.0)


def _sums(layer: RealLayer, weight: FloatArray, mean: FloatArray, variance: FloatArray) -> Moments:
    rows = np.asarray(weight, np.float64)
    k, c = rows.shape[:2]
    first = rows.sum(axis=(2, 3)).reshape(layer.groups, k // layer.groups, c)
    second = np.square(rows).sum(axis=(2, 3)).reshape(first.shape)
    parts = ((first, mean), (second, variance))
    out, spread = (np.einsum("gkc,gc->gk", taps, x.reshape(layer.groups, c)).reshape(k) for taps, x in parts)
    return (out if layer.bias is None else out + layer.bias), spread


def clipped_moments(mean: FloatArray, variance: FloatArray, lo: float, hi: float) -> Moments:
    """Mean and variance [C] of ``min(max(x, lo), hi)``, x Gaussian; lo and hi may be infinite."""
    deviation = np.sqrt(np.maximum(variance, 0.0))
    pairs = [_clipped(float(m), float(d), lo, hi) for m, d in zip(mean, deviation, strict=True)]
    first, second = (np.array(values, np.float64) for values in zip(*pairs, strict=True))
    return first, np.maximum(second - np.square(first), 0.0)


def _clipped(mean: float, deviation: float, lo: float, hi: float) -> tuple[float, float]:
    """(E[x], E[x**2])."""
    if deviation == 0.0:
        value = min(max(mean, lo), hi)
        return value, value * value
    first, second, inside = 0.0, 0.0, 1.0
    for bound, sign in ((lo, 1.0), (hi, -1.0)):
        if math.isinf(bound):
            continue
        at = sign * (bound - mean) / deviation
        beyond = 0.5 * math.erfc(-at / math.sqrt(2.0))
        density = sign * deviation * math.exp(-0.5 * at * at) / math.sqrt(2.0 * math.pi)
        first += bound * beyond + density
        second += bound * bound * beyond + (mean + bound) * density
        inside -= beyond
    return first + mean * inside, second + (mean * mean + deviation * deviation) * inside
