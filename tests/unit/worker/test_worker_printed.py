"""What a parser prints: lines, capped, with the last ones at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from casparian_flow.worker.events import Printed
from casparian_flow.worker.printed import Printout

Ends = dict[str, int]


@pytest.fixture
def ends() -> Iterator[tuple[Ends, Ends]]:
    pipes = {name: os.pipe() for name in ("stdout", "stderr")}
    for reading, _ in pipes.values():
        os.set_blocking(reading, False)
    yield {name: ends[0] for name, ends in pipes.items()}, {name: ends[1] for name, ends in pipes.items()}
    for reading, writing in pipes.values():
        os.close(reading)
        os.close(writing)


def test_pieces_are_joined_to_lines_and_the_rest_comes_at_the_end(ends: tuple[Ends, Ends]) -> None:
    reading, writing = ends
    printout = Printout(reading, 1000)
    os.write(writing["stdout"], b"one\r\ntw")
    assert list(printout.drain("stdout", 1)) == [Printed(1, "stdout", "one")]
    os.write(writing["stdout"], b"o\n\nrest")
    assert [event.text for event in printout.drain("stdout", 1)] == ["two", ""]
    assert list(printout.drain_all(1)) == [Printed(1, "stdout", "rest")]


def test_the_cap_counts_all_streams_and_starts_again_with_each_job(ends: tuple[Ends, Ends]) -> None:
    reading, writing = ends
    printout = Printout(reading, 10)
    os.write(writing["stdout"], b"12345678\n")
    os.write(writing["stderr"], b"abcdefgh\n")
    assert [event.text for event in printout.drain_all(1)] == ["12345678", "a"]
    assert printout.dropped == 8
    printout.start_job()
    os.write(writing["stderr"], b"next\n")
    assert [event.text for event in printout.drain_all(2)] == ["next"]
    assert printout.dropped == 0


def test_the_last_lines_of_stderr_are_kept_beyond_the_cap_on_one_line(ends: tuple[Ends, Ends]) -> None:
    reading, writing = ends
    printout = Printout(reading, 0)
    os.write(writing["stderr"], b"Traceback:\n  File x\nfatal \xff\n")
    assert list(printout.drain_all(1)) == []
    assert printout.last_lines == "Traceback: | File x | fatal \ufffd"


def test_a_line_without_end_is_cut_into_lines(ends: tuple[Ends, Ends]) -> None:
    reading, writing = ends
    printout = Printout(reading, 20_000)
    os.write(writing["stdout"], b"x" * 9_000)
    texts = [event.text for event in printout.drain_all(1)]
    assert [len(text) for text in texts] == [4096, 4096, 808]
