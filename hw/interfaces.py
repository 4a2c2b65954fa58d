"""The signatures that join the engine's units. Streams obey Amaranth RFC 61."""

from __future__ import annotations

from amaranth.lib import data, stream
from amaranth.lib.wiring import Flow, In, Out, Signature

from .config import EngineConfig
from .isa import LOAD, Instruction, layout

__all__ = ["Axi4", "AxiLite", "EnginePorts", "LoadWrite", "Progress", "ReadClient", "RowStream", "ScratchpadRead",
           "ScratchpadWrite", "load_word", "record_layout"]  # fmt: skip


def record_layout(instruction: Instruction, config: EngineConfig) -> data.StructLayout:
    """The instruction's fields as an Amaranth struct, packed as in memory."""
    from amaranth.hdl import signed, unsigned

    return data.StructLayout(
        {
            f.name: (signed if f.signed and bits else unsigned)(bits)
            for f, _, bits in layout(instruction, config)
        }
    )


class ReadClient(Signature):
    """A reader of memory, seen from the client: bursts go out, beats come back in order.

    ``request``: byte address (aligned to the port) and beats - 1; never crosses 4096 bytes.
    ``valid``, ``data``: one beat; there is no ready: the client asks only for what it has room for.
    """

    def __init__(self, config: EngineConfig) -> None:
        super().__init__(
            {
                "request": Out(stream.Signature(data.StructLayout({"addr": config.memory_width, "last": 8}))),
                "valid": In(1),
                "data": In(config.port_width),
            }
        )


class RowStream(Signature):
    """Rows of the weight stream, decoded: cols values of wgt_width bits; ``param`` marks parameter rows."""

    def __init__(self, config: EngineConfig) -> None:
        payload = data.StructLayout({"data": config.cols * config.wgt_width, "param": 1})
        super().__init__({"stream": Out(stream.Signature(payload))})


class ScratchpadWrite(Signature):
    """Whole words into the scratchpad, seen from the writer; ready falls while compute writes that bank."""

    def __init__(self, config: EngineConfig) -> None:
        payload = data.StructLayout({"addr": config.addr_width, "data": config.lanes * config.act_width})
        super().__init__({"stream": Out(stream.Signature(payload))})


def load_word(config: EngineConfig) -> data.StructLayout:
    """A word that LOAD makes; with ``table`` an entry of tables, with ``shared`` one code for all columns."""
    addr = record_layout(LOAD, config)["base"].width
    return data.StructLayout({"addr": addr, "data": config.lanes * config.act_width, "table": 1, "shared": 1})


class LoadWrite(Signature):
    """What LOAD makes, seen from the writer; ready falls while compute writes the bank of the address."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({"stream": Out(stream.Signature(load_word(config)))})


class ScratchpadRead(Signature):
    """Whole words from the scratchpad, seen from the reader (the store unit).

    A request taken is answered, in order, a fixed number of cycles later by ``valid`` and ``data``; no ready.
    """

    def __init__(self, config: EngineConfig) -> None:
        payload = data.StructLayout({"addr": config.addr_width})
        super().__init__(
            {
                "request": Out(stream.Signature(payload)),
                "valid": In(1),
                "data": In(config.lanes * config.act_width),
            }
        )


class Progress(Signature):
    """Instructions completed by each unit since start, modulo 2**wait_width."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({unit: Out(config.wait_width) for unit in ("load", "compute", "store")})


class Axi4(Signature):
    """The memory port, manager side: AXI4, one ID, INCR bursts of up to 256 beats of the full width."""

    def __init__(self, config: EngineConfig) -> None:
        width = config.port_width

        def channel(flow: Flow, **members: int) -> dict[str, Flow]:
            return {name: flow(bits) for name, bits in members.items()}

        super().__init__(
            channel(Out, araddr=32, arlen=8, arsize=3, arburst=2, arvalid=1, rready=1)
            | channel(In, arready=1, rdata=width, rresp=2, rlast=1, rvalid=1)
            | channel(Out, awaddr=32, awlen=8, awsize=3, awburst=2, awvalid=1)
            | channel(Out, wdata=width, wstrb=width // 8, wlast=1, wvalid=1, bready=1)
            | channel(In, awready=1, wready=1, bresp=2, bvalid=1)
        )


class AxiLite(Signature):
    """The control port, manager side (flip it for the engine): AXI4-Lite, 32 bits of data."""

    def __init__(self) -> None:
        super().__init__(
            {name: Out(bits) for name, bits in dict(awaddr=12, awvalid=1, wdata=32, wstrb=4, wvalid=1, bready=1,
                                                    araddr=12, arvalid=1, rready=1).items()}
            | {name: In(bits) for name, bits in dict(awready=1, wready=1, bresp=2, bvalid=1, arready=1, rdata=32,
                                                     rresp=2, rvalid=1).items()}
        )  # fmt: skip


class EnginePorts(Signature):
    """All of the engine: memory port, control port, interrupt."""

    def __init__(self, config: EngineConfig) -> None:
        super().__init__({"axi": Out(Axi4(config)), "ctl": In(AxiLite()), "irq": Out(1)})
