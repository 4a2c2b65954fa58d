"""A program as the contents of the memory of ``hw.onchip``.

memory = program | weight stream | input images | results | working memory        (``Program.memory_map``)
"""

from __future__ import annotations

from .program import Program

__all__ = ["contents", "needed_words"]


def needed_words(program: Program, images: int = 1) -> int:
    """Port words of memory that a batch of so many images needs."""
    return program.memory_map(images).end // program.config.port_bytes


def contents(program: Program) -> list[int]:
    """The first words of memory before an image has come: instructions, tables, weights."""
    places, size = program.memory_map(), program.config.port_bytes
    memory = bytearray(places.weights + len(program.weights))
    for address, part in program.parts():
        memory[address : address + len(part)] = part
    memory += bytes(-len(memory) % size)
    return [int.from_bytes(memory[i : i + size], "little") for i in range(0, len(memory), size)]
