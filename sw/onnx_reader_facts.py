"""What the reader covers, an operator an entry: the source of docs/operators.md.

    FACTS[operator] = attributes and forms that run, what is refused and the cure, the test that proves it

Where an operator runs and what becomes of it stand beside its converter: in ``HOST``, ``FOLDED`` (``onnx_reader_ops``)
and its docstring. A test holds that every operator has an entry and every test named here exists.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..quant.functions import defaults
from .onnx_reader_functions import COMBINED, FUNCTIONS

__all__ = ["FACTS", "Facts"]


@dataclass(frozen=True)
class Facts:
    """``proof``: path and function of a test, without ``tests/`` and ``test_``: ``sw/onnx_reader::auto_pad``."""

    covers: str
    refuses: str
    proof: str


_SEEN = "any axes, the batch staying the first"
_ONE_SCALE = "one scale and zero point a tensor, int8, uint8, int16, uint16; a scale a channel for weights"
_CONSTANT = "a constant of one number, or one a channel; one an element where a dense layer follows"
_BROADCAST = (
    "tensors of different shapes but for axes of one value (add tensors of one shape); a constant that differs within "
    "one elsewhere"
)
_FUNCTION = "sw/onnx_reader_functions::operators"
_TWO_MAPS = (
    "two maps that are no functions of one (use a constant as the other operand); tensors of different shapes"
)
_COMBINED = "functions of one map and constants, one number or one a channel"
_MAPS = (
    "a map by a map of one pixel, [N, C, 1, 1] (squeeze and excitation); two functions of one map, an activation "
    "function (x * Sigmoid(x), x * Clip(x + 3, 0, 6) / 6, ...)"
)
_NO_MAPS = (
    "two maps that are no functions of one (multiply by a map of one pixel a channel); tensors of other shapes "
    "(use tensors of one shape, or [N, C, 1, 1] as the second one)"
)
_QLINEAR = "sw/onnx_reader_qlinear::operators_like_onnxruntime"

FACTS: dict[str, Facts] = {
    "Conv": Facts(
        "two dimensions; kernels up to 16x16, any strides, dilations, pads, auto_pad, group; constant weights and bias",
        "one or three dimensions; weights computed at run time (export them as constants)",
        "sw/onnx_reader::auto_pad",
    ),
    "Gemm": Facts(
        "constant weights; transB, alpha, beta; a bias of one value, or one an output; a flattened map up to 16x16",
        "transA (export it as a linear layer); a bias that differs between images; an input that is not flat (put a "
        "Flatten before it)",
        "sw/onnx_reader::gemm_with_alpha_beta",
    ),
    "MatMul": Facts(
        "a constant matrix on the right; over a flat input or along the channels of [N, H, W, C]",
        "a constant on the left (put it on the right); two tensors; more than two dimensions in the constant",
        "sw/onnx_reader_relabel::dense_along_the_channels",
    ),
    "BatchNormalization": Facts(
        "epsilon; over axis 1, in front of a convolution, behind one, alone, behind a Flatten",
        "training_mode (export in evaluation mode); spatial 0 (export with opset >= 9)",
        "sw/onnx_reader::batch_norm_without_convolution",
    ),
    "Add": Facts(
        f"two tensors of one shape, or broadcast to it, of different formats too; {_CONSTANT}",
        _BROADCAST,
        "sw/onnx_reader::the_larger_convolution_takes_the_residual",
    ),
    "Mean": Facts(
        "any number of tensors of one shape, or broadcast to it, and of constants",
        _BROADCAST,
        "sw/onnx_reader_spread::sums_of_many",
    ),
    "Tile": Facts(
        "axes of one value of a map",
        "other axes (repeat axes of one value of a map)",
        "sw/onnx_reader_spread::expand_and_tile",
    ),
    "SpaceToDepth": Facts(
        "any blocksize that divides the map; mode",
        "others (pad the map)",
        "sw/onnx_reader_spread::space_to_depth",
    ),
    "Sum": Facts(
        "any number of tensors of one shape, or broadcast to it, and of constants",
        _BROADCAST,
        "sw/onnx_reader_relabel::sums_and_bounds",
    ),
    "Sub": Facts(
        f"two tensors of one shape, or broadcast to it; {_CONSTANT}, on either side",
        _BROADCAST,
        "sw/onnx_reader::arithmetic_with_constants",
    ),
    "Mul": Facts(f"{_CONSTANT}; {_MAPS}", _NO_MAPS, "sw/onnx_reader_functions::squeeze_and_excitation"),
    "Div": Facts(
        f"{_CONSTANT}, on either side; {_MAPS}",
        f"a constant 0; {_NO_MAPS}",
        "sw/onnx_reader_functions::spellings",
    ),
    "Neg": Facts("all", "", "sw/onnx_reader_relabel::sums_and_bounds"),
    "Relu": Facts("all", "", "sw/onnx_reader::relu_behind_maxpool_moves_before_it"),
    "Clip": Facts(
        "min, max, both or one: attributes or constants",
        "bounds computed at run time; min > max (clip with min <= max)",
        "sw/onnx_reader::clip_and_dropout_across_opsets",
    ),
    "Max": Facts(
        f"a tensor and numbers; {_COMBINED}, an activation function (LeakyRelu as Max(x, x / 5))",
        f"a constant that differs within a channel (use one value a channel); {_TWO_MAPS}",
        "sw/onnx_reader_relabel::sums_and_bounds",
    ),
    "Min": Facts(
        f"a tensor and numbers; {_COMBINED}, an activation function (LeakyRelu as Max(x, x / 5))",
        f"a constant that differs within a channel (use one value a channel); {_TWO_MAPS}",
        "sw/onnx_reader_relabel::sums_and_bounds",
    ),
    "MaxPool": Facts(
        "two dimensions; kernel_shape, strides, dilations, pads, auto_pad, ceil_mode, storage_order",
        "one or three dimensions; Indices that are read (use the first output only); a window that sees nothing of the "
        "map (use pads smaller than the kernel)",
        "sw/onnx_reader_windows::max_pools_with_pads_as_large_as_the_kernel",
    ),
    "AveragePool": Facts(
        "two dimensions; kernel_shape, strides, dilations, pads, auto_pad, ceil_mode (its overhang never counts, as in "
        "opset 19 and in ONNX Runtime), count_include_pad",
        "one or three dimensions; a window that sees nothing of the map (use pads smaller than the kernel)",
        "sw/onnx_reader_windows::averages_at_the_border",
    ),
    "Resize": Facts(
        "mode nearest by whole factors, rows and columns each their own: scales or sizes, constant or computed from "
        "shapes, axes; every coordinate_transformation_mode and nearest_mode that repeat each pixel equally often, or "
        "take every n-th; mode linear of one pixel",
        "mode linear, cubic (resize with mode nearest); other factors; modes that shift pixels (use asymmetric with "
        "floor); tf_crop_and_resize (cut with Slice, then resize); channels and batch",
        "sw/onnx_reader_resize::every_combination_of_modes",
    ),
    "Upsample": Facts(
        "mode nearest by whole factors; scales as attribute (opset 7) or input (opset 9)",
        "mode linear (resize with mode nearest); other factors",
        "sw/onnx_reader_resize::upsamples_of_every_opset",
    ),
    "GlobalAveragePool": Facts(
        "maps of any size", "an input that is no map", "sw/onnx_reader::weights_behind_constant_nodes"
    ),
    "GlobalMaxPool": Facts(
        "maps of any size", "an input that is no map", "sw/onnx_reader::reduce_mean_and_global_max"
    ),
    "ReduceMean": Facts(
        "axes (attribute or input) among height and width, keepdims, noop_with_empty_axes",
        "channels or batch among the axes (reduce height and width)",
        "sw/onnx_reader_relabel::reduce",
    ),
    "ReduceMax": Facts(
        "axes (attribute or input) among height and width, keepdims, noop_with_empty_axes",
        "channels or batch among the axes (reduce height and width)",
        "sw/onnx_reader_relabel::reduce",
    ),
    "Identity": Facts("all", "", "sw/onnx_reader::clip_and_dropout_across_opsets"),
    "Dropout": Facts(
        "outside of training",
        "training_mode (export in evaluation mode); a mask that is read",
        "sw/onnx_reader::clip_and_dropout_across_opsets",
    ),
    "Cast": Facts(
        "to float32 and double; to any type behind the host's operators",
        "to other types (export the float32 model)",
        "sw/onnx_reader_relabel::cast_and_expand_are_nothing",
    ),
    "CastLike": Facts(
        "a constant, or a tensor like one of float32 or double",
        "like a constant of another type (export the float32 model)",
        "sw/onnx_reader_relabel::cast_and_expand_are_nothing",
    ),
    "Expand": Facts(
        "axes of one value of a map to any size; the others to the size they have",
        "other axes (repeat axes of one value of a map); more axes (leave it out)",
        "sw/onnx_reader_spread::expand_and_tile",
    ),
    "Flatten": Facts("axis 1", "another axis (flatten from axis 1)", "sw/onnx_reader::dense_over_a_map"),
    "Reshape": Facts(
        f"{_SEEN}: neighbours joined and parted again; 0, -1, allowzero; parting the channels in two for a shuffle",
        "a shape that cuts an axis otherwise (reshape only to join neighbouring axes); one that changes the batch",
        "sw/onnx_reader_relabel::shuffle_of_channels",
    ),
    "Squeeze": Facts(
        f"{_SEEN}, attribute or input",
        "no axes with a batch of one (export with a symbolic batch)",
        "sw/onnx_reader_relabel::squeeze_and_unsqueeze",
    ),
    "Unsqueeze": Facts(
        f"{_SEEN}, attribute or input",
        "an axis in front of the batch (keep the batch)",
        "sw/onnx_reader_relabel::squeeze_and_unsqueeze",
    ),
    "Transpose": Facts(
        _SEEN,
        "a batch that moves (keep the batch as the first axis)",
        "sw/onnx_reader_relabel::shuffle_of_channels",
    ),
    "Slice": Facts(
        "starts, ends, axes, steps (attributes or inputs) of height, width, channels; channels backwards too",
        "the batch; rows or columns backwards (slice forwards)",
        "sw/onnx_reader_copies::slices",
    ),
    "Split": Facts(
        "of the channels; split (attribute or input), num_outputs, equal parts",
        "another axis (split the channels)",
        "sw/onnx_reader_relabel::split",
    ),
    "Pad": Facts(
        "mode constant with 0; height, width, channels; pads, axes (attributes or inputs)",
        "another mode or value (pad with zeros); the batch; negative pads (use Slice to cut)",
        "sw/onnx_reader_copies::pads",
    ),
    "Concat": Facts(
        "along the channels: any number of tensors, or one tensor and constants of one value a channel",
        "another axis; several tensors with constants (join tensors with tensors)",
        "sw/onnx_reader_copies::concats",
    ),
    "Softmax": Facts(
        "at the end of the network",
        "with layers behind it (cut the model before Softmax)",
        "sw/onnx_reader::host_operations",
    ),
    "LogSoftmax": Facts(
        "at the end of the network",
        "with layers behind it (cut the model before LogSoftmax)",
        "sw/onnx_reader::host_operations",
    ),
    "ArgMax": Facts(
        "at the end of the network",
        "with layers behind it (cut the model before ArgMax)",
        "sw/onnx_reader::host_operations",
    ),
    "Sigmoid": Facts("all", "", "sw/onnx_reader_functions::sigmoid_at_the_end_stays_with_the_host"),
    "HardSigmoid": Facts("alpha, beta", "", "sw/onnx_reader_functions::hard_sigmoid_takes_no_layer"),
    "PRelu": Facts(
        "one slope, or one a channel",
        "a slope that differs within a channel (use one value a channel)",
        "sw/onnx_reader_functions::spellings",
    ),
    "Pow": Facts(
        f"{_COMBINED}, on either side",
        f"a constant that differs within a channel (use one value a channel); {_TWO_MAPS}",
        "sw/onnx_reader_functions::spellings",
    ),
    **{
        name: Facts(
            f"{_COMBINED}, as part of an activation function",
            f"a constant that differs within a channel (use one value a channel); {_TWO_MAPS}",
            "sw/onnx_reader_functions::comparisons_choose",
        )
        for name in COMBINED
        if name not in ("PRelu", "Pow")
    },
    **{
        name: Facts(", ".join(defaults(name)) or "approximate" * (name == "Gelu") or "all", "", _FUNCTION)
        for name in FUNCTIONS
    },
    "QuantizeLinear": Facts(
        _ONE_SCALE,
        "several scales for an activation; float8, blocks (quantize to int8 or uint8)",
        "sw/onnx_reader_quantized::powers_of_two_are_kept_to_the_bit",
    ),
    "DequantizeLinear": Facts(
        _ONE_SCALE,
        "several scales for an activation; float8, blocks (quantize to int8 or uint8)",
        "sw/onnx_reader_quantized::powers_of_two_are_kept_to_the_bit",
    ),
    "QLinearConv": Facts(
        "as Conv; int32 bias", "as Conv", "sw/onnx_reader_quantized::powers_of_two_are_kept_to_the_bit"
    ),
    "QLinearMatMul": Facts(
        "as MatMul", "as MatMul", "sw/onnx_reader_quantized::powers_of_two_are_kept_to_the_bit"
    ),
    "QGemm": Facts("as Gemm; int32 bias", "as Gemm", _QLINEAR),
    "QLinearAdd": Facts("as Add", "as Add", _QLINEAR),
    "QLinearMul": Facts("as Mul", "as Mul", _QLINEAR),
    "QLinearConcat": Facts("as Concat", "as Concat", _QLINEAR),
    "QLinearGlobalAveragePool": Facts(
        "as GlobalAveragePool", "channels_last 1 (export channels first)", _QLINEAR
    ),
    "QLinearAveragePool": Facts(
        "as AveragePool", "channels_last 1 (export channels first); as AveragePool", _QLINEAR
    ),
    "QLinearReduceMean": Facts("as ReduceMean", "as ReduceMean", _QLINEAR),
    "QLinearLeakyRelu": Facts("as LeakyRelu", "as LeakyRelu", _QLINEAR),
    "QLinearSigmoid": Facts("as Sigmoid", "as Sigmoid", _QLINEAR),
    "QLinearSoftmax": Facts("as Softmax", "as Softmax", _QLINEAR),
}
"""An entry an operator, by its ONNX name, in the order of the page."""
