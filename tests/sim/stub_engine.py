"""A stand-in for the engine with its ports: copies memory, and measures the bench memory while it does.

    for i in images: for b in program_beats: memory[output_addr + i * output_stride + b] = memory[input_addr + ...]

only that the stub knows one image. It reads in bursts of at most ``weight_beats`` beats, writes single beats'
bursts of the same size. Each beat read is an output write of its trace: addr = beat, codes = its low bits.
``pixels`` reads the cycles from the first AR handshake to the first R transfer, ``stall_weight`` the idle R cycles
between first and last beat, ``stall_bank`` the cycles from the last W transfer to its response. A program for another
configuration is what ``watchdog`` = 0xBAD says: error 2; 0xAE lets bursts cross 4096 bytes. A read answered by an
error is error 4, a write 5.
"""

from typing import Any

from amaranth.hdl import Array, Const, Module, Mux, Signal
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import Component, In, Out
from systolith.hw.config import EngineConfig
from systolith.hw.interfaces import Axi4, AxiLite
from systolith.hw.registers import IDENTITY, MAP


class Writeback(Component):
    """The trace of the stub, a cycle late."""

    def __init__(self, config: EngineConfig) -> None:
        codes = config.cols * config.act_width
        super().__init__({"valid": In(1), "addr": In(config.addr_width), "codes": In(codes)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        for name in ("valid", "addr", "codes"):
            port = getattr(self, name)
            trace = Signal(port.shape(), name=f"trace_{name}")
            m.d.sync += trace.eq(port)
        return m


class StubEngine(Component):
    """See the module. Parameters as ``Engine``."""

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        super().__init__({"axi": Out(Axi4(config)), "ctl": In(AxiLite()), "irq": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        axi, config = self.axi, self.config
        size = config.port_bytes.bit_length() - 1
        reg = {r.name: Signal(32, name=f"reg_{r.name}") for r in MAP}
        busy, done, error, start = Signal(), Signal(), Signal(8), Signal()
        m.d.comb += [
            reg["id"].eq(IDENTITY),
            reg["hash"].eq(config.hash),
            reg["status"].eq(busy | done << 1 | error << 8),
            reg["geometry"].eq(
                config.rows | config.cols << 8 | config.act_width << 16 | config.wgt_width << 24
            ),
            self.irq.eq((done | (error != 0)) & reg["irq_enable"][0]),
        ]
        self._control(m, reg, start)

        beats = reg["program_beats"]
        asked, got, sent, given, replies, bursts = (Signal(32, name=n) for n in
                                                    ("asked", "got", "sent", "given", "replies", "bursts"))  # fmt: skip
        now, first_ar, last_w = Signal(32), Signal(32), Signal(32)
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=config.port_width, depth=1024)
        m.submodules.writeback = writeback = Writeback(config)
        m.d.sync += now.eq(now + 1)

        def burst(m: Module, done_so_far: Signal, channel: str, base: Signal, go: Any) -> None:
            """Offer the bursts of one direction, never across 4096 bytes."""
            address = Signal(32, name=f"{channel}_next")
            limit, left = Signal(32, name=f"{channel}_limit"), Signal(32, name=f"{channel}_left")
            valid, ready = getattr(axi, f"{channel}valid"), getattr(axi, f"{channel}ready")
            m.d.comb += [
                address.eq(base + (done_so_far << size)),
                left.eq((4096 + (reg["watchdog"] == 0xAE) * config.port_bytes - address[:12]) >> size),
                limit.eq(Mux(reg["weight_beats"] < left, reg["weight_beats"], left)),
                getattr(axi, f"{channel}size").eq(size),
                getattr(axi, f"{channel}burst").eq(1),
            ]
            count = Mux(beats - done_so_far < limit, beats - done_so_far, limit)
            with m.If(valid & ready):
                m.d.sync += valid.eq(0)
            with m.If(busy & (done_so_far < beats) & (~valid | ready) & go):
                m.d.sync += [
                    valid.eq(1),
                    getattr(axi, f"{channel}addr").eq(address),
                    getattr(axi, f"{channel}len").eq(count - 1),
                    done_so_far.eq(done_so_far + count),
                ]

        burst(m, asked, "ar", reg["input_addr"], asked - given < 700)
        burst(m, sent, "aw", reg["output_addr"], 1)
        with m.If(axi.arvalid & axi.arready & (first_ar == 0)):
            m.d.sync += first_ar.eq(now)
        with m.If(axi.awvalid & axi.awready):
            m.d.sync += bursts.eq(bursts + 1)

        taken = axi.rvalid & axi.rready
        m.d.comb += [
            axi.rready.eq(fifo.w_rdy),
            fifo.w_en.eq(taken),
            fifo.w_data.eq(axi.rdata),
            writeback.valid.eq(taken),
            writeback.addr.eq(got),
            writeback.codes.eq(axi.rdata),
        ]
        with m.If(taken):
            m.d.sync += got.eq(got + 1)
            with m.If(got == 0):
                m.d.sync += reg["pixels"].eq(now - first_ar)
            with m.If(axi.rresp != 0):
                m.d.sync += [error.eq(4), busy.eq(0)]
        with m.Elif((got != 0) & (got < beats)):
            m.d.sync += reg["stall_weight"].eq(reg["stall_weight"] + 1)

        # The write bursts are the same as the read bursts only if both start at the same place in a page;
        # the last beat of each is found from the address.
        address, run = Signal(32), Signal(32)
        m.d.comb += [
            address.eq(reg["output_addr"] + (given << size)),
            axi.wvalid.eq(fifo.r_rdy & busy),
            axi.wdata.eq(fifo.r_data),
            axi.wstrb.eq(Const(-1, config.port_bytes)),
            axi.wlast.eq(
                (run + 1 == reg["weight_beats"]) | (given + 1 == beats) | (address[:12] == 4096 - (1 << size))
            ),
            fifo.r_en.eq(axi.wvalid & axi.wready),
            axi.bready.eq(1),
        ]
        with m.If(axi.wvalid & axi.wready):
            m.d.sync += [given.eq(given + 1), run.eq(Mux(axi.wlast, 0, run + 1)), last_w.eq(now)]
        with m.If(axi.bvalid):
            m.d.sync += replies.eq(replies + 1)
            with m.If(axi.bresp != 0):
                m.d.sync += [error.eq(5), busy.eq(0)]
            with m.Elif((replies + 1 == bursts) & (given == beats) & (sent == beats)):
                m.d.sync += [busy.eq(0), done.eq(1), reg["stall_bank"].eq(now - last_w)]
        with m.If(busy):
            m.d.sync += reg["cycles"].eq(reg["cycles"] + 1)
        with m.If(start & ~busy):
            m.d.sync += [
                *(
                    signal.eq(0)
                    for signal in (done, error, asked, got, sent, given, replies, bursts, first_ar, run)
                ),
                *(reg[name].eq(0) for name in ("cycles", "pixels", "stall_weight", "stall_bank")),
                busy.eq(1),
            ]
            with m.If(reg["watchdog"] == 0xBAD):
                m.d.sync += [error.eq(2), busy.eq(0)]
        return m

    def _control(self, m: Module, reg: dict[str, Signal], start: Signal) -> None:
        ctl = self.ctl
        values = Array([reg[r.name] for r in MAP])
        m.d.comb += [ctl.awready.eq(ctl.wvalid & ~ctl.bvalid), ctl.wready.eq(ctl.awvalid & ~ctl.bvalid)]
        m.d.comb += ctl.arready.eq(~ctl.rvalid)
        m.d.sync += start.eq(0)
        with m.If(ctl.bready):
            m.d.sync += ctl.bvalid.eq(0)
        with m.If(ctl.awvalid & ctl.wvalid & ~ctl.bvalid):
            m.d.sync += ctl.bvalid.eq(1)
            with m.Switch(ctl.awaddr):
                for register in MAP:
                    with m.Case(register.address):
                        if register.name == "control":
                            m.d.sync += start.eq(ctl.wdata[0])
                        elif register.access == "rw":
                            m.d.sync += reg[register.name].eq(ctl.wdata)
        with m.If(ctl.rready):
            m.d.sync += ctl.rvalid.eq(0)
        with m.If(ctl.arvalid & ~ctl.rvalid):
            m.d.sync += [ctl.rvalid.eq(1), ctl.rdata.eq(values[ctl.araddr >> 2])]
