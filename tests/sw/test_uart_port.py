"""The host's end of the serial link: a board of Python answers, rightly and wrongly; a line of the system."""

import os
import threading
import tty

import pytest
from systolith.hw import link
from systolith.hw.registers import IDENTITY, MAP
from systolith.sw.driver import Driver, EngineError
from systolith.sw.uart_port import SerialLine, UartPort

ADDRESS = {register.name: register.address for register in MAP}
PORT = 8


class Board:
    """A ``Line`` with registers and memory behind it; ``spoil`` changes each answer."""

    def __init__(self, size: int = 16384, spoil=lambda answer: answer) -> None:
        self.registers = {ADDRESS["id"]: IDENTITY}
        self.memory, self.spoil = bytearray(size), spoil
        self.waiting, self.resets = bytearray(), 0

    def send(self, data: bytes) -> None:
        opcode, address = data[0], int.from_bytes(data[1:5], "little")
        argument, answer = int.from_bytes(data[5:9], "little"), b""
        if opcode == link.WRITE_REGISTER:
            self.registers[address] = argument
        elif opcode == link.READ_REGISTER:
            value = self.registers.get(address, 0)
            answer = (value(self) if callable(value) else value).to_bytes(4, "little")
        elif opcode == link.WRITE_MEMORY:
            assert len(data) == link.HEADER + PORT * argument
            self.memory[address : address + PORT * argument] = data[link.HEADER :]
        elif opcode == link.READ_MEMORY:
            answer = bytes(self.memory[address : address + PORT * argument])
        elif opcode == link.RESET:
            self.resets += 1
        self.waiting += self.spoil(answer + bytes([sum(data) + sum(answer) & 0xFF]))

    def receive(self, count: int) -> bytes:
        got = bytes(self.waiting[:count])
        self.waiting.clear()
        return got


def test_registers_and_memory() -> None:
    board = Board()
    driver = Driver(UartPort(board, port_bytes=PORT, size=16384))
    driver.write("input_addr", 0x12345678)
    assert driver.read("input_addr") == 0x12345678
    data = bytes(range(251)) * 41
    driver.port.write_memory(4096, data)
    assert driver.port.read_memory(4096, len(data)) == data
    assert board.memory[4096 + len(data) :][:8] == bytes(8)
    assert driver.port.read_memory(4104, 3) == data[8:11]
    assert isinstance(driver.port, UartPort)
    driver.port.reset()
    assert board.resets == 1


@pytest.mark.parametrize(
    ("status", "timeout", "raised"), [(0x2, 0, True), (0x401, 0, True), (0x1, 500, False), (0, 9, False)]
)
def test_wait(status: int, timeout: int, raised: bool) -> None:
    board = Board()
    board.registers[ADDRESS["status"]] = status
    cycles = iter((100, 499, 500))
    board.registers[ADDRESS["cycles"]] = lambda board: next(cycles)
    assert UartPort(board, port_bytes=PORT).wait(timeout) is raised
    if status == 1:
        assert next(cycles, None) is None


def test_wait_until_done() -> None:
    board = Board()
    states = iter((1, 1, 1, 2))
    board.registers[ADDRESS["status"]] = lambda board: next(states)
    assert UartPort(board, port_bytes=PORT).wait(0)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda answer: b"", "the board answered 0 of 5 bytes"),
        (lambda answer: answer[:-1], "the board answered 4 of 5 bytes"),
        (lambda answer: answer[:-1] + bytes([answer[-1] ^ 0xFF]), "does not know command 0x02"),
        (lambda answer: bytes([answer[0] ^ 4]) + answer[1:], "bytes were lost or changed"),
    ],
)
def test_wrong_answers_are_errors(spoil, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        Driver(UartPort(Board(spoil=spoil), port_bytes=PORT))


def test_addresses_are_checked() -> None:
    port = UartPort(Board(), port_bytes=PORT, size=16384)
    with pytest.raises(ValueError, match="address must be a multiple of 8, not 4"):
        port.read_memory(4, 8)
    with pytest.raises(ValueError, match="the board has 16384 bytes of memory, 16385 are needed"):
        port.write_memory(8192, bytes(8193))


def test_a_line_of_the_system(tmp_path) -> None:
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    line = SerialLine(os.ttyname(theirs))

    def echo() -> None:
        got = b""
        while len(got) < 3000:
            got += os.read(ours, 3000)
        os.write(ours, got[::-1][:2000])

    thread = threading.Thread(target=echo)
    thread.start()
    data = bytes(range(250)) * 12
    line.send(data)
    assert line.receive(2000) == data[::-1][:2000]
    thread.join()
    line.close()
    for descriptor in (ours, theirs):
        os.close(descriptor)
    with pytest.raises(ValueError, match="baud must be a speed that this system knows, not 12345"):
        SerialLine("/dev/null", 12345)
    with pytest.raises(ValueError, match="'.*' is not a serial port"):
        SerialLine("/dev/null")
    with pytest.raises(OSError, match="No such file"):
        SerialLine(tmp_path / "ttyUSB9")
