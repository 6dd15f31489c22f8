from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from casparian_flow.store import admission
from casparian_flow.store.database import Database

HOUR = 3600 * 10**9
CARD, KEY, OTHER = "c" * 40, "k" * 40, "o" * 40


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "state.sqlite3")
    yield opened
    opened.close()


def invited(database: Database, card: str = CARD, *, worker: str = "w1", now: int = 0, name: str = "join-1") -> None:
    with database.transaction() as connection:
        admission.invite(
            connection,
            name=name,
            worker=worker,
            public_key=card,
            now_ns=now,
            expires_at_ns=now + HOUR,
            actor="me",
        )


def joined(database: Database, card: str = CARD, key: str = KEY, now: int = 1) -> str | None:
    with database.transaction() as connection:
        return admission.join(connection, card, key, now)


def test_an_invitation_is_used_once_and_repeating_it_says_the_same(database: Database) -> None:
    invited(database)
    assert admission.is_invited(database.connection, CARD, 1)
    database.connection.rollback()
    assert [joined(database), joined(database, now=2 * HOUR)] == ["w1", "w1"]
    assert joined(database, key=OTHER) is None
    assert admission.worker_of_key(database.connection, KEY) == "w1"
    assert admission.worker_of_key(database.connection, OTHER) is None
    assert not admission.is_invited(database.connection, CARD, 1)


def test_an_expired_or_unknown_invitation_binds_nothing(database: Database) -> None:
    invited(database)
    assert joined(database, now=HOUR) is None
    assert joined(database, card=OTHER) is None
    assert admission.worker_keys_of(database.connection) == []


def test_a_revoked_worker_is_nobody_and_its_unused_invitation_is_withdrawn(database: Database) -> None:
    invited(database)
    joined(database)
    invited(database, OTHER, name="join-2")
    with database.transaction() as connection:
        assert admission.revoke_key(connection, "w1", 5) == 1
        assert admission.revoke_key(connection, "w1", 6) == 0
    assert admission.worker_of_key(database.connection, KEY) is None
    assert not admission.is_invited(database.connection, OTHER, 6)
    database.connection.rollback()
    assert joined(database) is None


def test_a_worker_that_joins_again_has_its_new_key_alone(database: Database) -> None:
    invited(database)
    joined(database)
    invited(database, OTHER, name="join-2", now=2)
    assert joined(database, OTHER, OTHER, now=3) == "w1"
    keys = [(row["public_key"], row["revoked_at_ns"]) for row in admission.worker_keys_of(database.connection)]
    assert keys == [(KEY, 3), (OTHER, None)]


def test_a_newer_invitation_of_a_worker_withdraws_the_older_one(database: Database) -> None:
    invited(database)
    invited(database, OTHER, name="join-2", now=2)
    assert not admission.is_invited(database.connection, CARD, 3)
    assert admission.is_invited(database.connection, OTHER, 3)


def test_a_key_that_was_bound_once_is_bound_to_nobody_else(database: Database) -> None:
    invited(database)
    joined(database)
    invited(database, OTHER, worker="w2", name="join-2", now=2)
    assert joined(database, OTHER, KEY, now=3) is None
    assert admission.worker_of_key(database.connection, KEY) == "w1"
    assert admission.is_invited(database.connection, OTHER, 4)
