"""What an engine takes of an ECP5 without synthesis: DSPs and block RAMs exactly, look-up tables and registers fitted.

EngineConfig -> shapes of its memories (``design``) -> DSP, BRAM
             -> sizes of its parts (``features``) * coefficients (ecp5.json, of runs of yosys) -> LUT, FF
"""
