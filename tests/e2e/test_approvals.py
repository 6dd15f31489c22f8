"""Approvals by their commands: who may decide, what counts, and what is not believed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from casparian_flow.clients import signing
from casparian_flow.core.contracts import Contract, ContractColumn
from casparian_flow.core.hashing import digest_of
from casparian_flow.sentinel.governance.authority import Rule
from casparian_flow.sentinel.governance.first_contracts import adopt
from casparian_flow.store.database import Database
from product import Answer, Product, ProductHere

SALES = Contract("sales", 1, (ContractColumn("id", "int64"), ContractColumn("at", "string", nullable=False)))
As = Callable[..., Answer]


@pytest.fixture
def somebody(product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> As:
    """A command of a named person, each with a login and a key file of their own, over a home with one table."""
    product_here.home.mkdir()
    database = Database(product_here.home / "state.sqlite3")
    with database.transaction() as connection:
        adopt(connection, SALES, Rule.ADOPT, "casparian", 1)
    database.close()

    def somebody(name: str, *words: str, expect: int = 0) -> Answer:
        monkeypatch.setenv("CASPARIAN_APPROVER_KEY", str(tmp_path / f"{name}.key"))
        monkeypatch.setattr("casparian_flow.wiring.user_name", lambda: name)
        return product_here(*words, "--json", expect=[expect])

    return somebody


def write(home: Path, statement: str, *values: object) -> None:
    """A row as somebody writes it who holds the file, and no key."""
    connection = sqlite3.connect(home / "state.sqlite3")
    with connection:
        connection.execute(statement, values)
    connection.close()


def version(home: Path) -> int:
    connection = sqlite3.connect(home / "state.sqlite3")
    [(found,)] = connection.execute("SELECT version FROM schema_contracts WHERE state = 'applied'").fetchall()
    connection.close()
    return int(found)


def test_one_person_decides_alone_and_every_proof_says_so(somebody: As, product_here: ProductHere) -> None:
    number = somebody("dana", "contract", "amend", "sales", "--narrow", "at:int64").json["proposal"]["id"]
    decided = somebody("dana", "approve", number, "--reason", "ticket 7")
    assert "is the first of this home" in decided.err
    assert decided.json["is_applied"] and (decided.json["table"], decided.json["version"]) == ("sales", 2)
    assert decided.json["proposal"]["is_self_approved"] and decided.json["proposal"]["needed"] == 2
    [entry] = somebody("dana", "approval", "list", "--state", "applied", "--kind", "amendment").json["proposals"]
    assert entry["is_self_approved"] and entry["is_single_person"]
    [decision] = somebody("dana", "approval", "show", number).json["decisions"]
    assert (decision["is_self"], decision["is_valid"], decision["reason"]) == (True, True, "ticket 7")
    assert "self_approved" in product_here("approval", "show", number).out
    assert "self_approved" in product_here("contract", "show", "sales").out


def test_how_many_approvals_are_enough_is_said_of_the_home_as_it_is(somebody: As, product_here: ProductHere) -> None:
    """Without a key and with one person's a single approval applies what two would decide elsewhere."""
    number = somebody("dana", "contract", "amend", "sales", "--narrow", "at:int64").json["proposal"]["id"]
    other = somebody("dana", "contract", "amend", "sales", "--add", "zone:string").json["proposal"]["id"]

    def said() -> tuple[int, int, str | None, str, str]:
        shown = somebody("dana", "approval", "show", number).json["proposal"]
        listed = somebody("dana", "approval", "list").json["proposals"]
        assert shown in listed
        assert [(each["enough"], each["enough_because"]) for each in listed if each["id"] == other] == [(1, None)]
        lines = product_here("approval", "show", number).out
        return shown["needed"], shown["enough"], shown["enough_because"], lines, product_here("approval", "list").err

    needed, enough, because, lines, note = said()
    assert (needed, enough) == (2, 1) and because is not None and because.startswith("nobody has a key in this home")
    assert f"risk       restrictive: 1 approval is enough here, 0 so far: {because} (else 2 are needed)\n" in lines
    assert note == f"1 approval is enough for {number}: {because}\n"
    somebody("dana", "key", "add")
    assert said()[:3] == (2, 1, "all keys of this home belong to dana")
    somebody("kim", "key", "add")
    needed, enough, because, lines, note = said()
    assert (needed, enough, because, note) == (2, 2, None, "")
    assert "risk       restrictive: 2 approvals needed, 0 so far\n" in lines
    somebody("kim", "approve", number, expect=4)


def test_two_persons_decide_what_takes_something_away(somebody: As, product_here: ProductHere) -> None:
    for name in ("dana", "kim", "lee"):
        somebody(name, "key", "add")
    number = somebody("kim", "contract", "amend", "sales", "--narrow", "at:int64").json["proposal"]["id"]
    assert "self-approval" in somebody("kim", "approve", number, expect=4).err
    waits = somebody("dana", "approve", number, expect=4).json
    assert not waits["is_applied"] and waits["approvers"] == ["dana"]
    assert version(product_here.home) == 1
    done = somebody("lee", "approve", number).json
    assert done["is_applied"] and done["approvers"] == ["dana", "lee"] and not done["proposal"]["is_self_approved"]
    assert version(product_here.home) == 2


def test_an_approval_whose_key_was_revoked_is_not_counted_until_it_was_applied(somebody: As) -> None:
    for person in ("dana", "lee", "kim"):
        somebody(person, "key", "add")
    number = somebody("kim", "contract", "amend", "sales", "--narrow", "at:int64").json["proposal"]["id"]
    somebody("dana", "approve", number, expect=4)
    assert somebody("kim", "approval", "show", number).json["proposal"]["approvals"] == 1
    keys = {each["actor"]: each["key"] for each in somebody("dana", "key", "list").json["keys"]}
    somebody("dana", "key", "revoke", keys["dana"])
    assert somebody("kim", "approval", "show", number).json["proposal"]["approvals"] == 0
    assert not somebody("lee", "approve", number, expect=4).json["is_applied"]


def test_who_has_no_key_decides_nothing(somebody: As, product_here: ProductHere) -> None:
    somebody("dana", "key", "add")
    number = somebody("kim", "contract", "amend", "sales", "--add", "zone:string").json["proposal"]["id"]
    assert "key-missing" in somebody("mallory", "approve", number, expect=4).err
    [key] = somebody("dana", "key", "list").json["keys"]
    somebody("dana", "key", "revoke", key["key"])
    somebody("kim", "key", "add")
    assert "approval-invalid" in somebody("dana", "approve", number, expect=7).err
    assert somebody("dana", "approve", "A-99", expect=5).code == 5
    wrong_letter = number.replace("A", "P")
    assert number in somebody("dana", "approve", wrong_letter, expect=5).err
    assert version(product_here.home) == 1


def test_no_key_gets_in_by_an_approval_that_fails(somebody: As, product_here: ProductHere) -> None:
    number = somebody("dana", "contract", "amend", "sales", "--drop", "at").json["proposal"]["id"]
    assert "with a reason" in somebody("dana", "approve", number, expect=2).err
    somebody("dana", "approval", "withdraw", number)
    assert "is withdrawn" in somebody("dana", "approve", number, "--reason", "gone", expect=1).err
    number = somebody("dana", "contract", "amend", "sales", "--add", "city:string").json["proposal"]["id"]
    write(product_here.home, "UPDATE schema_contracts SET state = 'superseded'")
    assert "proposal-void" in somebody("dana", "approve", number, expect=1).err
    write(product_here.home, "UPDATE schema_contracts SET state = 'applied'")
    assert somebody("dana", "approval", "show", number).json["proposal"]["state"] == "void"
    assert somebody("dana", "key", "list").json["keys"] == []
    number = somebody("kim", "contract", "amend", "sales", "--add", "zone:string").json["proposal"]["id"]
    assert somebody("kim", "approve", number).json["is_applied"]
    assert [key["actor"] for key in somebody("kim", "key", "list").json["keys"]] == ["kim"]


def test_two_shells_of_one_person_make_one_first_key(somebody: As, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both see a home without keys; the other shell has decided before this one lets its key in."""
    first = somebody("dana", "contract", "amend", "sales", "--add", "zone:string").json["proposal"]["id"]
    second = somebody("dana", "contract", "amend", "sales", "--add", "city:string").json["proposal"]["id"]

    def made_late(path: Path) -> signing.Signer:
        monkeypatch.setattr(signing, "made_signer", made_signer)
        somebody("dana", "reject", second, "--reason", "no")
        return made_signer(path)

    made_signer = signing.made_signer
    monkeypatch.setattr(signing, "made_signer", made_late)
    assert somebody("dana", "approve", first).json["is_applied"]
    assert len(somebody("dana", "key", "list").json["keys"]) == 1


def test_a_rejected_proposal_is_over_and_one_whose_base_moved_is_void(somebody: As) -> None:
    for name in ("dana", "kim"):
        somebody(name, "key", "add")
    first = somebody("kim", "contract", "amend", "sales", "--add", "zone:string").json["proposal"]["id"]
    second = somebody("kim", "contract", "amend", "sales", "--add", "city:string").json["proposal"]["id"]
    third = somebody("kim", "contract", "amend", "sales", "--add", "land:string").json["proposal"]["id"]
    assert somebody("dana", "approval", "reject", third, "--reason", "no").json["proposal"]["state"] == "rejected"
    over = json.loads(somebody("dana", "approve", third, expect=1).err)
    assert (over["code"], over["retryable"]) == ("proposal-over", False) and "dana: no" in over["why"]
    assert "proposal-over" in somebody("dana", "approval", "withdraw", third, expect=1).err
    somebody("dana", "approve", first)
    over = json.loads(somebody("kim", "approve", first, expect=1).err)
    assert (over["code"], over["retryable"]) == ("proposal-over", False) and over["why"].startswith("since 20")
    assert "proposal-void" in somebody("dana", "approve", second, expect=1).err
    assert somebody("dana", "approval", "list").json["proposals"] == []
    fourth = somebody("kim", "contract", "amend", "sales", "--add", "land:string").json["proposal"]["id"]
    sent_back = somebody("dana", "reject", fourth, "--changes", "--reason", "say why").json
    assert sent_back["proposal"]["state"] == "changes_requested"
    assert somebody("kim", "approval", "withdraw", fourth).json["proposal"]["state"] == "withdrawn"


def test_a_decision_on_what_was_seen_is_not_one_on_what_came_after(somebody: As) -> None:
    somebody("dana", "key", "add")
    number = somebody("kim", "contract", "amend", "sales", "--add", "zone:string").json["proposal"]["id"]
    digest = somebody("dana", "approval", "show", number).json["digest"]
    assert "version-changed" in somebody("dana", "approve", number, "--digest", "000000", expect=1).err
    somebody("dana", "approval", "approve", number, "--digest", digest[:15])


@pytest.mark.parametrize("given", ["", "blake3:", "blake3:9af4c"])
def test_a_digest_too_short_to_tell_proposals_apart_decides_nothing(
    somebody: As, product_here: ProductHere, given: str
) -> None:
    somebody("dana", "key", "add")
    number = somebody("kim", "contract", "amend", "sales", "--add", "zone:string").json["proposal"]["id"]
    for words in (["approve", number], ["reject", number, "--reason", "no"], ["approval", "approve", number]):
        refused = json.loads(somebody("dana", *words, "--digest", given, expect=2).err)
        assert (refused["code"], refused["fix"]) == ("usage", f"casparian approval show {number}")
        assert "first 6 characters" in refused["message"]
        assert ("is a variable of your shell not set?" in refused["why"]) is (given != "blake3:9af4c")
    seen = somebody("dana", "approval", "show", number).json
    assert seen["proposal"]["state"] == "proposed" and seen["decisions"] == [] and version(product_here.home) == 1


@pytest.mark.parametrize("forged", ["other diff", "other key", "no key", "terms", "evidence"])
def test_what_somebody_wrote_into_the_database_is_not_believed(
    somebody: As, product_here: ProductHere, forged: str
) -> None:
    """Mallory holds the file of the database; two persons have to agree, and one of them has."""
    home = product_here.home
    for name in ("dana", "kim", "mallory"):
        somebody(name, "key", "add")
    other = somebody("lee", "contract", "amend", "sales", "--narrow", "id:date").json["proposal"]["id"]
    number = somebody("lee", "contract", "amend", "sales", "--narrow", "at:int64").json["proposal"]["id"]
    somebody("dana", "approve", other, expect=4)
    digest = somebody("kim", "approval", "show", number).json["digest"]
    take = (
        "INSERT INTO cf_approvals (proposal_id, digest, decision, actor, key_id, signature, is_self, reason, at_ns) "
        "SELECT ?, ?, decision, actor, key_id, signature, is_self, reason, at_ns "
        "FROM cf_approvals WHERE proposal_id = ?"
    )
    match forged:
        case "other diff":
            write(home, take, number[2:], digest, other[2:])
        case "other key":
            write(home, take, number[2:], digest, other[2:])
            write(
                home,
                "UPDATE cf_approvals SET key_id = (SELECT key_id FROM cf_keys WHERE actor = 'mallory') "
                "WHERE proposal_id = ?",
                number[2:],
            )
        case "no key":
            write(home, take, number[2:], digest, other[2:])
            write(home, "UPDATE cf_approvals SET key_id = NULL, signature = NULL WHERE proposal_id = ?", number[2:])
        case "terms":
            write(home, "UPDATE cf_proposals SET risk = 'additive' WHERE id = ?", number[2:])
        case "evidence":
            write(home, "UPDATE cf_proposals SET evidence_digest = ? WHERE id = ?", digest_of(b"x"), number[2:])
    trouble = somebody("kim", "approval", "show", number).json["trouble"]
    assert (trouble is not None) is (forged in ("terms", "evidence"))
    said = somebody("kim", "approve", number, expect=7)
    assert "approval-invalid" in said.err
    assert version(home) == 1
    if trouble is not None:
        assert somebody("lee", "approval", "withdraw", number).json["proposal"]["state"] == "withdrawn"
    else:
        decisions = somebody("kim", "approval", "show", number).json["decisions"]
        assert [each["is_valid"] for each in decisions] == [False]


@pytest.mark.slow
def test_approving_through_a_sentinel_signs_here_and_is_verified_there(product: Product, tmp_path: Path) -> None:
    data = tmp_path / "sales.csv"
    data.write_text("id,amount\n1,2.5\n")
    product("run", str(data), "--first-contract", "hold", expect=[4])
    product("start", "--detach", expect=[0])
    try:
        asked = product("approve", "C-1", "--reason", "fine", "--json", expect=[0])
        assert asked.json["is_applied"] and asked.json["table"] == "sales"
        product("run", str(data), expect=[0])
        number = product("contract", "amend", "sales", "--add", "zone:string", "--json", expect=[0]).json
        product("approve", number["proposal"]["id"], expect=[0])
        assert product.table("sales").num_rows == 1
    finally:
        product("stop", expect=[0])


def test_a_contract_that_was_changed_where_it_lies_is_not_believed(product_here: ProductHere, tmp_path: Path) -> None:
    product, folder = product_here, tmp_path / "in"
    folder.mkdir()
    (folder / "sales_1.csv").write_text("id,amount\n1,2.5\n")
    product("run", str(folder), expect=[0])
    with closing(sqlite3.connect(product.home / "state.sqlite3")) as connection, connection:
        changed = "UPDATE schema_contracts SET body = replace(body, 'float64', 'string')"
        assert connection.execute(changed).rowcount == 1
    (folder / "sales_2.csv").write_text("id,amount\n2,abc\n")
    assert "verification-failed" in product("run", str(folder), expect=[7]).err
    product("contract", "show", "sales", expect=[7])
    checks = product("doctor", "--json", expect=[0, 1, 3]).json["checks"]
    assert [each["found"] for each in checks if each["check"] == "database" and each["health"] == "fail"] == [
        "version 1 of the contract of sales is not what came into force"
    ]
    assert product.table("sales").num_rows == 1
