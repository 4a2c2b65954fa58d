"""What runs in SCALE-Sim's own Python: ``PYTHON -I scalesim_run.py TABLE.csv SIZE`` prints a line of JSON a layer.

Weight stationary, size x size PEs, no stalls for memory. Of each layer SCALE-Sim makes the operand matrices and, cycle
by cycle, the demands of its array (``systolic_compute_ws``); the last line of the demands is the layer's cycle number
that ``COMPUTE_REPORT.csv`` calls Total Cycles where ``InterfaceBandwidth`` is CALC. Its memory model, which
writes traces and changes no cycle there, is left out, but for the first small layer: that one runs whole, and must
agree. Layers of one shape are run once; the channels of a depthwise layer are.

Python 3.11 and SCALE-Sim 3.0 alone: nothing of this package.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import io
import json
import sys
from typing import Any

_KB = 1024
_PRODUCTS, _CYCLES = 4096, 60_000
"""Of a layer that is small enough to run whole."""


def _part(module: str, name: str) -> Any:
    return getattr(importlib.import_module(f"scalesim.{module}"), name)()


def _config(size: int) -> Any:
    config = _part("scale_config", "scale_config")
    config.update_from_list(["systolith", size, size, _KB, _KB, _KB, 0, 10**7, 2 * 10**7, "ws", "CALC", []])
    return config


def _demanded(table: Any, layer: int, config: Any) -> int:
    """Cycles of a layer by the demands of the array."""
    operands = _part("compute.operand_matrix", "operand_matrix")
    operands.set_params(
        layer_id=layer, config_obj=config, topoutil_obj=table, layoututil_obj=_part("layout_utils", "layouts")
    )
    array = _part("compute.systolic_compute_ws", "systolic_compute_ws")
    array.set_params(
        config_obj=config, ifmap_op_mat=operands.get_ifmap_matrix()[1],
        filter_op_mat=operands.get_filter_matrix()[1], ofmap_op_mat=operands.get_ofmap_matrix()[1],
    )  # fmt: skip
    _, _, results = array.get_demand_matrices()
    return int(results.shape[0]) - 1


def _whole(table: Any, layer: int, config: Any) -> int:
    """The same by the whole simulator, memory included; stalls must be 0."""
    simulator = _part("single_layer_sim", "single_layer_sim")
    simulator.set_params(
        layer_id=layer, config_obj=config, topology_obj=table, layout_obj=_part("layout_utils", "layouts"),
        verbose=False,
    )  # fmt: skip
    simulator.run()
    _, cycles, stalls, *_ = simulator.get_compute_report_items()
    if stalls:
        raise RuntimeError(f"layer {table.get_layer_name(layer)} stalls {stalls} cycles")
    return int(cycles)


def main(words: list[str]) -> int:
    """Print the version, then the layers in order."""
    path, size = words[0], int(words[1])
    print(json.dumps({"version": importlib.metadata.version("scalesim")}), flush=True)
    table, config = _part("topology_utils", "topologies"), _config(size)
    table.load_arrays(path)
    known: dict[tuple[int, ...], int] = {}
    checked = False
    for layer in range(table.get_num_layers()):
        shape = tuple(table.get_layer_params(layer)[1:9])
        if shape not in known:
            with contextlib.redirect_stdout(io.StringIO()):
                cycles = known[shape] = _demanded(table, layer, config)
                height, width = table.get_layer_ofmap_dims(layer)
                products = table.get_layer_window_size(layer) * height * width
                if not checked and products <= _PRODUCTS and cycles <= _CYCLES:
                    checked = True
                    if _whole(table, layer, config) != cycles:
                        raise RuntimeError(f"layer {table.get_layer_name(layer)} is not what its demands say")
        macs = table.get_layer_num_ofmap_px(layer) * table.get_layer_window_size(layer)
        name = str(table.get_layer_name(layer))
        print(json.dumps({"name": name, "cycles": known[shape], "macs": int(macs)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
