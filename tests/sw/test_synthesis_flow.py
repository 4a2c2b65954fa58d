"""What a netlist needs before nextpnr takes it; the flow itself is in test_synthesis."""

from systolith.sw.synthesis_flow import loosen


def test_a_port_driven_by_a_constant_cell_is_left_open() -> None:
    cells = {
        "zero": {"type": "VLO", "connections": {"Z": [5]}},
        "first": {"type": "CCU2", "connections": {"CIN": [5], "COUT": [6]}},
        "second": {"type": "CCU2", "connections": {"CIN": [6], "A0": [5]}},
        "open": {"type": "CCU2", "connections": {"A0": [5]}},
        "other": {"type": "LUT4", "connections": {"CIN": [5]}},
    }
    assert loosen({"modules": {"top": {"cells": cells}, "black_box": {}}}, "CCU2", "CIN", "VLO") == 1
    assert cells["first"]["connections"] == {"COUT": [6]}
    assert cells["second"]["connections"] == {"CIN": [6], "A0": [5]}
    assert cells["open"]["connections"] == {"A0": [5]} and cells["other"]["connections"] == {"CIN": [5]}
