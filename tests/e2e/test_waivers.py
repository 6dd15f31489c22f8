"""Rejected rows are given up only by an approved proposal, and only those that waited when it was made."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.outputs import Role
from product import ProductHere


@pytest.fixture
def folder(product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two files with the same fault."""
    monkeypatch.setenv("CASPARIAN_APPROVER_KEY", str(tmp_path / "approver.key"))
    made = tmp_path / "in"
    made.mkdir()
    (made / "p_1.csv").write_text("id,n\n1,1\n2,2\n")
    product_here.run(str(made))
    for at in (2, 3):
        (made / f"p_{at}.csv").write_text(f"id,n\n{at}1,x\n{at}2,2\n")
    product_here.run(str(made))
    return made


def state(product: ProductHere) -> list[tuple[str, int]]:
    groups = product("quarantine", "list", "--json", expect=[0]).json["groups"]
    return [(each["state"], each["rows"]) for each in groups]


def test_rows_that_are_given_up_count_no_more_and_are_still_there(product_here: ProductHere, folder: Path) -> None:
    (group,) = product_here("quarantine", "--json").json["groups"]
    asked = product_here("quarantine", "waive", group["group"], "--reason", "a test machine", "--json", expect=[0]).json
    again = product_here("quarantine", "waive", group["group"], "--reason", "a test machine", "--json", expect=[0]).json
    assert asked["proposal"]["id"] == again["proposal"]["id"]
    assert (asked["proposal"]["kind"], asked["proposal"]["risk"]) == ("waiver", "destructive")
    assert state(product_here) == [("open", 2)]
    product_here("approve", asked["proposal"]["id"], "--reason", "yes", expect=[0])
    assert state(product_here) == []
    waived = product_here("quarantine", "list", "--state", "waived", "--json", expect=[0]).json["groups"]
    assert [(each["group"], each["rows"]) for each in waived] == [(group["group"], 2)]
    assert len(product_here.table("p", Role.QUARANTINE)) == 2
    status = product_here("status", "--json").json
    assert (status["quarantine"]["rows"], status["quarantine"]["waived"]) == (0, 2)
    assert status["tables"][0]["quarantined"] == 2
    assert "quarantine  0 rows of 0 files, and 2 waived" in product_here("status").out
    product_here.run(str(folder), "--force", expect=[0, 3])
    assert state(product_here) == []
    (folder / "p_4.csv").write_text("id,n\n41,x\n")
    product_here.run(str(folder))
    assert state(product_here) == [("open", 1)]


def test_a_waiver_of_rows_that_were_read_again_meanwhile_is_void(product_here: ProductHere, folder: Path) -> None:
    (group,) = product_here("quarantine", "--json").json["groups"]
    asked = product_here("quarantine", "waive", group["group"], "--reason", "r", "--json", expect=[0]).json
    product_here.run(str(folder), "--force")
    refused = product_here("approve", asked["proposal"]["id"], "--reason", "yes", expect=[1])
    assert "can no longer be applied" in refused.err
    assert state(product_here) == [("open", 2)]
