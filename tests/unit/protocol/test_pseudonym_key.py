"""The key of a home for pseudonyms."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.errors import UsageError, VerificationFailed
from casparian_flow.protocol.pseudonym_key import PseudonymKey

PLAIN = Contract("plain", 1, (ContractColumn("a", "string", sensitivity="personal"),))
SECRET = Contract("secret", 1, (ContractColumn("a", "string", sensitivity="secret"),))


def test_a_key_is_made_when_it_is_first_needed_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "home" / "pseudonym.key"
    assert PseudonymKey(path).needed_by([PLAIN]) == b"" and not path.exists()
    key = PseudonymKey(path).needed_by([PLAIN, SECRET])
    assert len(key) == 32 and path.stat().st_mode & 0o777 == 0o600
    assert PseudonymKey(path).needed_by([SECRET]) == key
    assert PseudonymKey(tmp_path / "other.key").needed_by([SECRET]) != key
    assert key.hex() not in repr(vars(PseudonymKey(path)))


def test_of_several_who_make_it_at_once_all_have_the_same(tmp_path: Path) -> None:
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(PseudonymKey(tmp_path / "key").needed_by([SECRET])))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and len(set(found)) == 1


def test_a_key_that_others_can_read_or_that_is_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    PseudonymKey(path).needed_by([SECRET])
    path.chmod(0o644)
    with pytest.raises(UsageError):
        PseudonymKey(path).needed_by([SECRET])
    path.chmod(0o600)
    for damaged in (b'{"key":"AAAA"}', b"nothing"):
        path.write_bytes(damaged)
        with pytest.raises(VerificationFailed):
            PseudonymKey(path).needed_by([SECRET])


class Kept:
    """A mark in memory."""

    def __init__(self) -> None:
        self.mark: str | None = None

    def known(self) -> str | None:
        return self.mark

    def keep(self, mark: str) -> None:
        self.mark = mark


def test_a_key_that_is_gone_or_another_one_is_refused_and_the_same_one_taken_back(tmp_path: Path) -> None:
    path, kept = tmp_path / "key", Kept()
    key = PseudonymKey(path, kept).needed_by([SECRET])
    assert kept.mark is not None and key.hex()[:8] not in kept.mark
    copy = path.read_bytes()
    path.unlink()
    with pytest.raises(VerificationFailed, match="is gone") as gone:
        PseudonymKey(path, kept).needed_by([SECRET])
    assert not path.exists() and gone.value.fix == f"cp COPY {path} && chmod 600 {path}"
    assert PseudonymKey(path, kept).needed_by([PLAIN]) == b"", "who needs none is not held up"
    PseudonymKey(path).needed_by([SECRET])
    with pytest.raises(VerificationFailed, match="another one than before"):
        PseudonymKey(path, kept).needed_by([SECRET])
    path.write_bytes(copy)
    assert PseudonymKey(path, kept).needed_by([SECRET]) == key
