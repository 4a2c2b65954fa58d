"""The serial line: every byte, at every divisor, from a sender whose clock is a little off."""

import pytest
from systolith.hw.uart import UartReceiver, UartTransmitter

BYTES = [0x00, 0xFF, 0x55, 0xAA, 0x01, 0x80, *range(17, 250, 31)]


async def cycles(ctx, count):
    """So many of them."""
    for _ in range(count):
        await ctx.tick()


def samples(byte):
    """Start bit, 8 bits, stop bit."""
    return [0, *((byte >> i) & 1 for i in range(8)), 1]


@pytest.mark.parametrize("divisor", [4, 5, 25, 64])
def test_transmitter(bench, divisor):
    dut = UartTransmitter(divisor=divisor)
    run = bench(dut)
    run.feed(dut.i, BYTES)
    wanted = [level for byte in BYTES for level in samples(byte)]

    async def look(ctx):
        async for _, _, level in ctx.tick().sample(dut.tx):
            if not level:
                break
        levels = [0]
        while len(levels) < len(wanted) * divisor:
            _, _, level = await ctx.tick().sample(dut.tx)
            levels.append(level)
        # One cycle more after each stop bit: the next byte is taken then.
        position = 0
        for number, level in enumerate(wanted):
            assert levels[position : position + divisor] == [level] * divisor, f"bit {number}"
            position += divisor + (number % 10 == 9)
            levels += [1] * (number % 10 == 9)
            if position + divisor > len(wanted) * divisor:
                break

    run.add(look, needed=True)
    run.run()


@pytest.mark.parametrize(("divisor", "period"), [(4, 4), (5, 5), (25, 24), (25, 26), (64, 62), (64, 66)])
def test_receiver(bench, divisor, period):
    dut = UartReceiver(divisor=divisor)
    run = bench(dut)
    run.expect(dut.o, BYTES)

    async def send(ctx):
        for byte in BYTES:
            for level in samples(byte):
                ctx.set(dut.rx, level)
                await cycles(ctx, period)
            await cycles(ctx, run.random.randrange(3 * period))

    run.add(send)
    run.run(60_000)


def test_receiver_drops_spikes_and_bytes_without_stop_bit(bench):
    dut = UartReceiver(divisor=16)
    run = bench(dut)
    run.expect(dut.o, [0x5A])

    async def send(ctx):
        for levels, pause in (([0, 1], 3), ([0] * 10 + [1], 16), (samples(0x5A), 16)):
            for level in levels:
                ctx.set(dut.rx, level)
                await cycles(ctx, pause)
            await cycles(ctx, 40)

    run.add(send)
    run.run()


@pytest.mark.parametrize("divisor", [3, 1 << 17, 4.5])
def test_divisor_is_checked(divisor):
    for kind in (UartReceiver, UartTransmitter):
        with pytest.raises(ValueError, match=r"divisor must be 4..65536 cycles a bit"):
            kind(divisor=divisor)
