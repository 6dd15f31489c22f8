"""Jobs, parsers and workers as a person handles them on the terminal."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from product import ProductHere

FAILING = "def parse(path):\n    print('reading', path.name)\n    raise ValueError('boom')\n    yield\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.csv").write_text("id\n1\n")
    return folder


def test_a_job_is_followed_watched_and_its_receipt_read(product_here: ProductHere, files: Path, tmp_path: Path) -> None:
    parser = tmp_path / "loud.py"
    parser.write_text("def parse(path):\n    print('hello \\x1b[2J')\n    yield 'rows', [{'a': 1}]\n")
    product_here("run", str(files), "--parser", str(parser), expect=[0])
    followed = product_here("jobs", "logs", "@last", "--follow", "--format", "plain", expect=[0]).out
    assert followed == "1\tstdout\thello \\x1b[2J\n"
    assert product_here("jobs", "logs", "@last", "--stream", "worker", "--json", expect=[0]).json["lines"] == []
    receipt = product_here("jobs", "receipt", "@last", "--json", expect=[0]).json["receipt"]
    assert [count["accepted"] for count in receipt["counts"]] == [1]
    watched = product_here("jobs", "watch", "@last", "--json", expect=[0]).json
    assert (watched["is_over"], watched["states"]) == (True, {"completed": 1})
    assert product_here("jobs", "watch", expect=[0]).out == "no job is open\n"


def test_a_job_that_failed_is_retried_by_a_new_one_once_its_cause_is_gone(
    product_here: ProductHere, files: Path
) -> None:
    product = product_here
    cause = files.parent / "cause"
    cause.write_text("")
    parser = files.parent / "moody.py"
    parser.write_text(
        "import os\n\n\ndef parse(path):\n"
        f"    if os.path.exists({str(cause)!r}):\n        raise ValueError('boom')\n    yield 'rows', [{{'a': 1}}]\n"
    )
    product("run", str(files), "--parser", str(parser), expect=[3])
    old = product("jobs", "--json", expect=[0]).json["jobs"][0]
    assert (old["state"], old["error"]) == ("failed", "parser-raised")
    again = product("jobs", "retry", "--where", "error=parser-raised", "--json", expect=[3]).json["retried"][0]
    assert (again["job"], again["outcome"], again["state"]) == (old["job"], "queued", "failed")
    (ended,) = product("jobs", "logs", old["job"], "--stream", "worker", "--json", expect=[0]).json["lines"]
    assert "failed, parser-raised: moody: ValueError: boom" in ended["text"]
    cause.unlink()
    landed = product("jobs", "retry", again["now"], "--json", expect=[0]).json["retried"][0]
    assert landed["state"] == "completed" and landed["now"] not in (old["job"], again["now"])
    assert product.table("rows").num_rows == 1
    states = [job["state"] for job in product("jobs", "--json", expect=[0]).json["jobs"]]
    assert states == ["completed", "failed", "failed"]
    refused = product("jobs", "retry", old["job"], "--json", expect=[1]).json["retried"][0]
    assert refused["outcome"] == "refused" and landed["now"] in refused["says"]
    over = product("jobs", "retry", landed["now"], "--json", cwd=files.parent, expect=[1]).json["retried"][0]["says"]
    assert f"casparian run {files.name} --parser moody.py --force reads" in over


def test_cancelling_and_prioritising_what_is_over_says_so(product_here: ProductHere, files: Path) -> None:
    product_here("run", str(files), expect=[0])
    cancelled = product_here("jobs", "cancel", "@last", "--wait", "--json", expect=[1]).json["cancelled"][0]
    assert (cancelled["outcome"], cancelled["state"]) == ("already-over", "completed")
    assert product_here("jobs", "cancel", "--where", "path=a.csv", "--json", expect=[0]).json["cancelled"] == []
    assert product_here("jobs", "priority", "@last", "7", expect=[1]).out.endswith(
        "is completed, and waits for no turn\n"
    )
    changed = product_here("jobs", "cancel", "@last", "--if-version", "1-running", "--json", expect=[1])
    assert json.loads(changed.err)["code"] == "version-changed"
    for wrong in (["jobs", "cancel"], ["jobs", "retry", "@last", "--where", "state=failed"]):
        product_here(*wrong, expect=[2])


def test_a_paused_parser_is_shown_with_its_last_failures_and_resumed(product_here: ProductHere, files: Path) -> None:
    parser = files.parent / "bad.py"
    parser.write_text(FAILING)
    product_here("run", str(files), "--parser", str(parser), expect=[3])
    with sqlite3.connect(product_here.home / "state.sqlite3") as database:
        database.execute("UPDATE cf_parsers SET paused_at_ns = 1, failures = 5 WHERE name = 'bad'")
    shown = product_here("parser", "show", "bad", expect=[0]).out
    assert "paused    since 1970-01-01" in shown and "parser-raised bad: ValueError: boom" in shown
    assert "paused      1 parsers" in product_here("status", expect=[0]).out
    assert "bad 0 runs again" in product_here("parser", "resume", "bad", expect=[0]).out
    assert product_here("parser", "show", "bad", "--json", expect=[0]).json["parser"]["paused"] is None


def test_a_plan_by_tag_says_which_subscription_would_run_what(product_here: ProductHere, files: Path) -> None:
    plugins = product_here.home / "plugins"
    plugins.mkdir(parents=True)
    for name in ("acme", "bob"):
        (plugins / f"{name}.py").write_text(
            "from casparian_flow.sdk import PluginMetadata\n\n"
            f'MANIFEST = PluginMetadata(subscriptions=["{"fw" if name == "acme" else "web"}"])\n\n\n'
            "def parse(path):\n    yield 'rows', [{'a': 1}]\n"
        )
    product_here("rules", "add", "*.csv", "--tag", "fw", expect=[0])
    plan = product_here("plan", str(files), "--tag", "fw", "--json", expect=[0]).json
    assert plan["subscriptions"] == [{"tag": "fw", "parser": "acme", "run": 0, "skip": 1}]
    entry = plan["entries"][0]
    assert (entry["reason"], entry["parser"], entry["tag"]) == ("parser_inactive", "acme", "fw")
    assert entry["route"] == "rule *.csv (priority 50) gives tag fw, to which acme subscribes"
    product_here("tags", "add", str(files / "a.csv"), "web", expect=[0])
    (plugins / "bob.py").write_text((plugins / "bob.py").read_text().replace('"web"', '"fw"'))
    entry = product_here("plan", str(files), "--json", expect=[0]).json["entries"][0]
    assert entry["reason"] == "no_parser" and "acme and bob ask for it" in entry["detail"]
    assert "acme and bob" in product_here("why", str(files / "a.csv"), expect=[0]).out


def test_workers_are_listed_and_none_is_found_that_never_joined(product_here: ProductHere, files: Path) -> None:
    product_here("scan", str(files), expect=[0])
    assert product_here("worker", "list", "--json", expect=[0]).json["workers"] == []
    for verb in ("show", "drain", "remove"):
        assert product_here("worker", verb, "w1", "--yes", expect=[5]).code == 5
