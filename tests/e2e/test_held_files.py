"""Files that were held for their rejected rows are read again once they would be judged otherwise, and only then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from product import ProductHere

ONE_MB = ("--set", "governance.quarantine_mb=1", "--set", "run.workers=1")


@pytest.fixture
def folder(product_here: ProductHere, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table with two rows; who decides has a key of their own."""
    monkeypatch.setenv("CASPARIAN_APPROVER_KEY", str(tmp_path / "approver.key"))
    made = tmp_path / "in"
    made.mkdir()
    (made / "p_1.csv").write_text("id,n\n1,1\n2,2\n")
    product_here.run(str(made))
    return made


def counts(product: ProductHere, folder: Path, *settings: str) -> dict[str, int]:
    planned: dict[str, int] = product("plan", str(folder), *settings, "--json", expect=[0]).json["counts"]
    return planned


def failures(reply: Any) -> list[str]:
    return sorted(each["code"] for each in reply["failures"])


def test_a_loosened_setting_opens_the_files_that_are_within_it_and_no_others(
    product_here: ProductHere, folder: Path
) -> None:
    product_here("config", "set", "governance.tolerance", "0.1", expect=[0])
    (folder / "p_2.csv").write_text("id,n\n21,x\n22,2\n23,3\n24,4\n")
    (folder / "p_3.csv").write_text("id,n\n31,x\n32,x\n33,x\n34,4\n")
    assert failures(product_here.run(str(folder))) == ["over-tolerance", "over-tolerance"]
    assert counts(product_here, folder) == {"skip up_to_date": 1, "skip held_by_policy": 2}
    product_here("config", "set", "governance.tolerance", "0.05", expect=[0])
    assert counts(product_here, folder) == {"skip up_to_date": 1, "skip held_by_policy": 2}
    product_here("config", "set", "governance.tolerance", "0.5", expect=[0])
    assert counts(product_here, folder) == {
        "skip up_to_date": 1, "skip held_by_policy": 1, "run hold_lifted": 1
    }  # fmt: skip
    told = product_here("why", str(folder / "p_2.csv"), expect=[0]).out
    assert "hold_lifted" in told and "1 of its 4 rows were rejected, which is tolerated now" in told
    assert failures(product_here.run(str(folder))) == []
    assert sorted(product_here.table("p")["id"].to_pylist()) == [1, 2, 22, 23, 24]
    assert counts(product_here, folder) == {"skip up_to_date": 2, "skip held_by_policy": 1}


@pytest.mark.parametrize("named", ["asked", "next"])
def test_the_commands_of_a_plan_carry_the_settings_under_which_it_was_made(
    product_here: ProductHere, folder: Path, named: str
) -> None:
    (folder / "p_2.csv").write_text("id,n\n21,x\n22,x\n23,x\n24,4\n")
    assert failures(product_here.run(str(folder), "--set", "governance.tolerance=0.5")) == ["over-tolerance"]
    settings = ("--set", "governance.tolerance=0.9", "--set", "ui.limit=5")
    planned = product_here("plan", str(folder), *settings, "--json", expect=[0]).json
    words = planned[named].split()
    assert words[0] == "casparian" and words[-2:] == ["--set", "governance.tolerance=0.9"]
    assert failures(product_here.run(*words[2:])) == []
    assert product_here.table("p")["id"].to_pylist().count(24) == 1


def test_an_amended_tolerance_opens_what_it_held(product_here: ProductHere, folder: Path) -> None:
    def amend(tolerance: str) -> None:
        asked = product_here("contract", "amend", "p", "--tolerance", tolerance, "--json", expect=[0]).json
        product_here("approve", asked["proposal"]["id"], "--reason", "r", expect=[0])

    amend("rows=0")
    (folder / "p_2.csv").write_text("id,n\n21,x\n22,2\n")
    assert failures(product_here.run(str(folder))) == ["over-tolerance"]
    assert product_here.run(str(folder))["run"] == 0
    amend("rows=1")
    assert counts(product_here, folder) == {"skip up_to_date": 1, "run hold_lifted": 1}
    assert failures(product_here.run(str(folder))) == []
    assert len(product_here.table("p", Role.QUARANTINE)) == 1


@pytest.mark.slow
def test_what_is_held_again_under_a_new_tolerance_waits_for_the_next_one(
    product_here: ProductHere, folder: Path
) -> None:
    def amend(tolerance: str) -> None:
        asked = product_here("contract", "amend", "p", "--tolerance", tolerance, "--json", expect=[0]).json
        product_here("approve", asked["proposal"]["id"], "--reason", "r", expect=[0])

    amend("rows=0,per=run")
    for at in (2, 3):
        (folder / f"p_{at}.csv").write_text(f"id,n\n{at}1,x\n{at}2,2\n")
    assert failures(product_here.run(str(folder))) == ["over-tolerance", "over-tolerance"]
    amend("rows=1,per=run")  # each of them passes alone, and both together do not
    assert failures(product_here.run(str(folder))) == ["over-tolerance"]
    assert counts(product_here, folder) == {"skip up_to_date": 2, "skip held_by_policy": 1}
    assert product_here.run(str(folder))["run"] == 0
    amend("rows=2,per=run")
    assert failures(product_here.run(str(folder))) == []


@pytest.mark.slow
def test_room_in_the_quarantine_opens_as_many_files_as_fit(product_here: ProductHere, folder: Path) -> None:
    for at in (2, 3, 4):
        (folder / f"p_{at}.csv").write_text("id,n\n" + f"{at}{'y' * 80},3\n" * 3000)
    reply = product_here.run(str(folder), *ONE_MB)
    assert failures(reply) == ["quarantine-full", "quarantine-full"]
    assert counts(product_here, folder, *ONE_MB) == {"skip up_to_date": 2, "skip held_by_policy": 2}
    assert product_here.run(str(folder), *ONE_MB)["run"] == 0
    (group,) = product_here("quarantine", "--json", expect=[0]).json["groups"]
    asked = product_here("quarantine", "purge", group["group"], "--reason", "room", "--json", expect=[0]).json
    product_here("approve", asked["proposal"]["id"], "--reason", "r", expect=[0])
    assert counts(product_here, folder, *ONE_MB) == {
        "skip up_to_date": 2, "skip held_by_policy": 1, "run hold_lifted": 1
    }  # fmt: skip
    assert failures(product_here.run(str(folder), *ONE_MB)) == []
    assert counts(product_here, folder, *ONE_MB) == {"skip up_to_date": 3, "skip held_by_policy": 1}
    assert counts(product_here, folder) == {"skip up_to_date": 3, "run hold_lifted": 1}
