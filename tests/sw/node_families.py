"""ONNX's own backend node tests of the operators that CNNs are made of, as ONNX has them."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

Array = np.ndarray

FAMILIES: dict[str, tuple[str, ...]] = {
    "conv": ("test_conv_*", "test_basic_conv_*"),
    "qlinearconv": ("test_qlinearconv",),
    "gemm": ("test_gemm_*",),
    "matmul": ("test_matmul_*",),
    "qlinearmatmul": ("test_qlinearmatmul_*",),
    "batch_normalization": ("test_batchnorm_*",),
    "maxpool": ("test_maxpool_*",),
    "averagepool": ("test_averagepool_*",),
    "globalaveragepool": ("test_globalaveragepool*",),
    "globalmaxpool": ("test_globalmaxpool*",),
    "reducemean": ("test_reduce_mean_*",),
    "reducemax": ("test_reduce_max_*",),
    "relu": ("test_relu*",),
    "clip": ("test_clip*",),
    "max": ("test_max_*",),
    "min": ("test_min_*",),
    "leakyrelu": ("test_leakyrelu*",),
    "prelu": ("test_prelu*",),
    "sigmoid": ("test_sigmoid*",),
    "tanh": ("test_tanh*",),
    "hardsigmoid": ("test_hardsigmoid*",),
    "hardswish": ("test_hardswish*",),
    "swish": ("test_swish*",),
    "abs": ("test_abs*",),
    "ceil": ("test_ceil*",),
    "celu": ("test_celu*",),
    "cos": ("test_cos", "test_cos_example"),
    "elu": ("test_elu*",),
    "erf": ("test_erf*",),
    "exp": ("test_exp", "test_exp_example"),
    "floor": ("test_floor*",),
    "gelu": ("test_gelu*",),
    "log": ("test_log", "test_log_example"),
    "mish": ("test_mish*",),
    "pow": ("test_pow*",),
    "reciprocal": ("test_reciprocal*",),
    "round": ("test_round*",),
    "selu": ("test_selu*",),
    "shrink": ("test_shrink*",),
    "sign": ("test_sign", "test_sign_example"),
    "sin": ("test_sin", "test_sin_example"),
    "softplus": ("test_softplus*",),
    "softsign": ("test_softsign*",),
    "sqrt": ("test_sqrt*",),
    "thresholdedrelu": ("test_thresholdedrelu*",),
    "add": ("test_add*",),
    "sum": ("test_sum_*",),
    "mean": ("test_mean_*",),
    "tile": ("test_tile*",),
    "spacetodepth": ("test_spacetodepth*",),
    "sub": ("test_sub*",),
    "mul": ("test_mul*",),
    "div": ("test_div*",),
    "neg": ("test_neg*",),
    "concat": ("test_concat_*",),
    "split": ("test_split_*",),
    "slice": ("test_slice*",),
    "pad": ("test_constant_pad*", "test_edge_pad", "test_reflect_pad", "test_wrap_pad"),
    "resize": ("test_resize_upsample_*nearest*", "test_resize_upsample_*linear*"),
    "upsample": ("test_upsample_nearest*",),
    "flatten": ("test_flatten_*",),
    "reshape": ("test_reshape_*",),
    "transpose": ("test_transpose_*",),
    "squeeze": ("test_squeeze*",),
    "unsqueeze": ("test_unsqueeze*",),
    "expand": ("test_expand_*",),
    "identity": ("test_identity*",),
    "dropout": ("test_dropout_*",),
    "cast": ("test_cast_FLOAT_to_DOUBLE", "test_cast_DOUBLE_to_FLOAT", "test_cast_FLOAT_to_FLOAT16"),
    "softmax": ("test_softmax_*",),
    "logsoftmax": ("test_logsoftmax_*",),
    "argmax": ("test_argmax_*",),
    "quantizelinear": ("test_quantizelinear*",),
    "dequantizelinear": ("test_dequantizelinear*",),
}
"""By module of ``onnx.backend.test.case.node``: the tests taken."""

NO_NUMBERS = (
    "its operands are no finite numbers: NaN, infinity, a sequence, an optional, 2- or 4-bit codes, float8"
)
"""The one reason for not running that is not the reader's own."""

_PLAIN = {
    TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32,
    TensorProto.INT64,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NodeTest:
    """A test as ONNX has it; ``inputs`` empty where they are no finite numbers, see ``NO_NUMBERS``."""

    name: str
    family: str
    model: onnx.ModelProto
    inputs: tuple[Array, ...]
    outputs: tuple[Array, ...]


@cache
def node_tests() -> tuple[NodeTest, ...]:
    """All tests of ``FAMILIES``; random numbers are seeded by ONNX."""
    found: dict[str, Any] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the numbers of tests that are not taken
        for family in FAMILIES:
            importlib.import_module(f"onnx.backend.test.case.node.{family}")
        from onnx.backend.test.case.node import _NodeTestCases as cases
    found = {case.name: case for case in cases}
    result = []
    for family, patterns in FAMILIES.items():
        for name in sorted(found):
            if any(fnmatch(name, pattern) for pattern in patterns):
                ((inputs, outputs),) = found[name].data_sets
                arrays = _arrays(inputs), _arrays(outputs)
                inputs, outputs = arrays if all(arrays) else ((), ())
                model = found[name].model
                result.append(NodeTest(name=name, family=family, model=model, inputs=inputs, outputs=outputs))
    return tuple(result)


def _arrays(values: Sequence[Any]) -> tuple[Array, ...]:
    """Arrays of finite numbers, or nothing where one of the values is none."""
    found = []
    for value in values:
        if isinstance(value, TensorProto) and value.data_type in _PLAIN:
            value = numpy_helper.to_array(value)
        if not isinstance(value, np.ndarray | np.generic):
            return ()
        if np.asarray(value).dtype.kind == "f" and not np.all(np.isfinite(value)):
            return ()
        found.append(np.asarray(value))
    return tuple(found)
