"""Frames off a socket: complete, bounded, and refused before anything large is allocated."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from casparian_flow.guest.wire import HEADER, MAX_HEAD, Kind, frame
from casparian_flow.worker.frames import BrokenFrame, Closed, FrameReader

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_frames_arrive_whole_however_they_are_cut(pair: Pair) -> None:
    ours, theirs = pair
    reader = FrameReader(ours, 1 << 20)
    sent = frame(Kind.BEGIN, {"job": 1}) + frame(Kind.BATCH, {"rows": 1}, 70_000) + b"z" * 70_000 + frame(Kind.BYE, {})
    found = []
    for at in range(0, len(sent), 997):
        theirs.sendall(sent[at : at + 997])
        while (one := reader.read()) is not None:
            found.append((one.kind, one.head, one.body.size))
    assert found == [(Kind.BEGIN, b'{"job":1}', 0), (Kind.BATCH, b'{"rows":1}', 70_000), (Kind.BYE, b"{}", 0)]


def test_many_frames_in_one_piece_keep_their_bodies(pair: Pair) -> None:
    ours, theirs = pair
    theirs.sendall(b"".join(frame(Kind.REJECTED, {"n": n}, 3) + bytes([n] * 3) for n in range(50)))
    reader = FrameReader(ours, 1 << 20)
    assert [reader.read().body.to_pybytes() for _ in range(50)] == [bytes([n] * 3) for n in range(50)]  # type: ignore[union-attr]
    assert reader.read() is None


@pytest.mark.parametrize(
    "header",
    [
        HEADER.pack(0, 2, 0),
        HEADER.pack(99, 2, 0),
        HEADER.pack(Kind.ORDER, 2, 0),
        HEADER.pack(Kind.BATCH, MAX_HEAD + 1, 0),
        HEADER.pack(Kind.BATCH, 2, (1 << 20) + 1),
        HEADER.pack(Kind.BATCH, 2, (1 << 64) - 1),
        HEADER.pack(Kind.END, 2, 1),
    ],
)
def test_headers_beyond_the_caps_are_refused(pair: Pair, header: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(header)
    with pytest.raises(BrokenFrame):
        FrameReader(ours, 1 << 20).read()


@pytest.mark.parametrize("sent", [b"", b"\x01\x00", frame(Kind.BATCH, {}, 10) + b"123"])
def test_an_end_is_an_end_after_a_frame_and_within_one(pair: Pair, sent: bytes) -> None:
    ours, theirs = pair
    theirs.sendall(sent)
    theirs.close()
    with pytest.raises(Closed):
        FrameReader(ours, 1 << 20).read()
