from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from casparian_flow.core.errors import SentinelMissing, UsageError, VerificationFailed, WorkerRefused
from casparian_flow.protocol.invitation import PREFIX, Invitation, invitation_of
from casparian_flow.protocol.joining import Membership, join, membership
from casparian_flow.protocol.keys import KeyPair, keys_of_secret, new_keys, sentinel_keys
from casparian_flow.protocol.private_files import read_private
from casparian_flow.protocol.zmq_router import ZmqRouter
from known_workers import ANYWHERE, SENTINEL, Workers


class Listening:
    """A sentinel's end that does nothing but admit."""

    def __init__(self) -> None:
        self.workers = Workers()
        self.router = ZmqRouter([ANYWHERE], keys=SENTINEL, register=self.workers)
        self.heard: list[tuple[bytes, bytes]] = []
        self._is_over = False
        self._thread = Thread(target=self._turn)
        self._thread.start()

    def _turn(self) -> None:
        while not self._is_over:
            if message := self.router.receive(0.05):
                self.heard.append(message)
        self.router.close()

    def invite(self, worker: str) -> Invitation:
        card = new_keys()
        self.workers.invited[card.public] = worker
        return Invitation(worker=worker, endpoint=self.router.endpoints[0], server=SENTINEL.public, secret=card.secret)

    def close(self) -> None:
        self._is_over = True
        self._thread.join()


@pytest.fixture
def listening() -> Iterator[Listening]:
    sentinel = Listening()
    yield sentinel
    sentinel.close()


def test_a_worker_joins_once_and_has_its_key_from_then_on(listening: Listening, tmp_path: Path) -> None:
    path = tmp_path / "keys" / "w1.key"
    invitation = listening.invite("w1")
    member = join(path, invitation, host="there")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert listening.workers.names == {member.keys.public: "w1"}
    assert membership(path) == member
    assert join(path, invitation, host="there") == member
    assert listening.heard == []


def test_a_used_invitation_is_refused_to_a_second_worker_and_leaves_no_key(
    listening: Listening, tmp_path: Path
) -> None:
    invitation = listening.invite("w1")
    join(tmp_path / "first.key", invitation, host="there")
    with pytest.raises(WorkerRefused):
        join(tmp_path / "second.key", invitation, host="there")
    assert [path.name for path in tmp_path.iterdir()] == ["first.key"]


def test_an_interrupted_join_is_finished_by_repeating_it(listening: Listening, tmp_path: Path) -> None:
    """The sentinel bound the key, and the worker never heard of it."""
    invitation = listening.invite("w1")
    member = join(tmp_path / "w1.key", invitation, host="there")
    listening.workers.invited.clear()
    assert join(tmp_path / "w1.key", invitation, host="there") == member


def test_a_worker_whose_key_was_revoked_joins_anew_with_a_new_key(listening: Listening, tmp_path: Path) -> None:
    before = join(tmp_path / "w1.key", listening.invite("w1"), host="there")
    listening.workers.names.clear()
    after = join(tmp_path / "w1.key", listening.invite("w1"), host="there")
    assert before.keys != after.keys
    assert listening.workers.names == {after.keys.public: "w1"}


def test_the_key_file_of_another_worker_is_left_alone(listening: Listening, tmp_path: Path) -> None:
    path = tmp_path / "w1.key"
    member = join(path, listening.invite("w1"), host="there")
    with pytest.raises(UsageError, match="belongs to w1"):
        join(path, listening.invite("w2"), host="there")
    assert membership(path) == member


def test_where_nobody_answers_the_worker_says_so(tmp_path: Path) -> None:
    nobody = Invitation(worker="w1", endpoint="tcp://127.0.0.1:1", server=SENTINEL.public, secret=new_keys().secret)
    with pytest.raises(SentinelMissing):
        join(tmp_path / "w1.key", nobody, host="there", timeout=0.1)


def test_an_invitation_is_one_word_and_survives_copying() -> None:
    keys = new_keys()
    invitation = Invitation(worker="w1", endpoint="tcp://host:7077", server=SENTINEL.public, secret=keys.secret)
    text = invitation.to_text()
    assert text.startswith(PREFIX)
    assert invitation_of(f"  {text}\n") == invitation
    assert keys.secret not in repr(invitation) + repr(keys)
    assert keys_of_secret(keys.secret) == keys


@pytest.mark.parametrize("cut", [3, 12, 40, -1])
def test_a_damaged_invitation_is_no_invitation(cut: int) -> None:
    keys = new_keys()
    text = Invitation(worker="w", endpoint="tcp://h:1", server=keys.public, secret=keys.secret).to_text()
    with pytest.raises(UsageError) as caught:
        invitation_of(text[:cut])
    assert keys.secret not in str(caught.value)


def test_the_sentinels_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "sentinel.key"
    keys = sentinel_keys(path)
    assert sentinel_keys(path) == keys
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o640)
    with pytest.raises(UsageError, match="read by others"):
        sentinel_keys(path)
    path.chmod(0o600)
    path.write_text('{"public":"short"}')
    with pytest.raises(VerificationFailed):
        read_private(path, KeyPair)


def test_who_never_joined_is_told_how(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not joined yet"):
        membership(tmp_path / "no.key")
    assert Membership.__struct_fields__ == ("worker", "endpoint", "server", "keys")
