"""Rules about the tree itself: imports, what files may say, and that nothing is forgotten."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import inspect

from casparian_flow.clients.cli import answers
from casparian_flow.operations import index
from casparian_flow.publish.discover import shipped_parsers
from casparian_flow.store.database import Database
from casparian_flow.store.engine import REVISION, live_revision, make_engine
from casparian_flow.store.migrate import upgrade

ROOT = Path(__file__).parents[2]
REGISTRY_HOSTS = re.compile("|".join((r"pypi\." + "org", r"files\.python" + "hosted", r"registry\.npm" + "js")))
MACHINE_PATHS = re.compile(
    r"(?<![\w./])/(?:" + "|".join(("wo" + "rk", "ro" + "ot", r"home/[a-z]+", "Users/[a-z]+")) + ")/"
)


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("this is not a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_imports_keep_their_direction() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command; lint_imports_command()",
            "--no-cache",
        ],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_no_tracked_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        text = data.decode(errors="replace")
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in REGISTRY_HOSTS.finditer(text)]
        if path.suffix in (".py", ".md", ".toml", ".lock", ".cfg", "") and "tests" not in path.parts:
            found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE_PATHS.finditer(text)]
    assert found == []


def test_the_lock_has_hashes_and_no_addresses() -> None:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert not re.search(r"https?://|--index-url|--find-links|file:", text)


ASKED_WITHIN = {"watch.look", "watch.open"}
"""Operations that a service asks for itself, between what people ask for."""


def test_every_operation_is_asked_for_by_a_command() -> None:
    commands = text_of(ROOT / "src" / "casparian_flow" / "clients" / "cli", "*.py")
    unasked = {each.name for each in index.every() if f'"{each.name}"' not in commands}
    assert unasked == ASKED_WITHIN


SHOWN_BY = {
    "sentinel.stop": "stop",
    "complete": "completion",
    "doctor.fix": "doctor",
    "doctor.recover": "doctor",
    "inspect.archive": "inspect",
    "output.plan_compact": "output compact",
    "jobs.plan_revert": "jobs revert",
    "output.plan_revert": "output revert",
    "preview.raw": "preview",
    "quarantine.raw": "quarantine show",
    "quarantine.reveal": "quarantine show",
    "replay.plan": "quarantine replay",
    "replay.start": "quarantine replay",
    "tables.profile": "tables",
    "watch.follow": "run",
    "watch.look": "watch add",
    "watch.open": "watch add",
}
"""The commands that ask for an operation without having its name."""
ANSWERED_OTHERWISE = {
    "complete": "lines for a shell",
    "demo": "casparian.demo/1, which tells of the steps after it too",
    "doctor.fix": "casparian.doctor/1, with what was checked before",
    "doctor.recover": "casparian.doctor/1, with what was checked before",
    "watch.follow": "casparian.watch.round/1, one for each round",
    "watch.look": "nobody: a service asks it",
    "watch.open": "nobody: a service asks it",
    "sql": "casparian.sql/1, since rows have the columns of the query",
}
"""Operations whose reply is no answer of its own, and what is."""


def test_every_operation_has_a_place_in_the_reference() -> None:
    pages = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")
    operations = (ROOT / "docs" / "reference" / "operations.md").read_text(encoding="utf-8")
    for each in index.every():
        words = SHOWN_BY.get(each.name, each.name.replace(".", " "))
        noun = words.partition(" ")[0]
        headings = [f"## `casparian {words}`\n"] + ([f"## `casparian {noun}`\n"] if is_bare(words) else [])
        assert any(heading in pages for heading in headings), each.name
        assert f"| `{each.name}` | {each.effect} |" in operations, each.name
        assert (ROOT / "docs" / "man" / f"casparian-{noun}.1").is_file(), each.name


def is_bare(words: str) -> bool:
    """Whether a command answers so without a verb."""
    return words.partition(" ")[0] in ("help", "explain", "plan", "tables")


def test_the_reply_of_every_operation_has_a_schema() -> None:
    answering = {*answers.RECORDS.values(), *(listed.operation for listed in answers.LISTS.values())}
    described = {index.find(name).reply for name in answering}
    missing = {each.name for each in index.every() if each.reply not in described}
    assert missing == ANSWERED_OTHERWISE.keys()
    named = {says.partition(",")[0] for says in ANSWERED_OTHERWISE.values() if says.startswith("casparian.")}
    assert named <= answers.schemas().keys()


def test_every_operation_is_tried_by_a_test() -> None:
    """By its request, by its command, or by a command of a page, since those are run too."""
    tests, pages = text_of(ROOT / "tests", "test_*.py"), text_of(ROOT / "docs", "*.md")
    missing = []
    for each in index.every():
        words = each.name.removesuffix(".list").removesuffix(".make").split(".")
        as_words = r'"' + r'",\s*"'.join(map(re.escape, words)) + '"'
        is_tried = re.search(rf"{as_words}|\b{each.request.__name__}\b", tests)
        if not is_tried and f"$ casparian {' '.join(words)}" not in pages:
            missing.append(each.name)
    assert missing == []


def text_of(folder: Path, pattern: str) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob(pattern))


def test_every_shipped_parser_is_usable() -> None:
    assert {each.path.name: each.error.message for each in shipped_parsers() if each.error} == {}


def test_the_migrations_make_the_schema_that_tables_py_describes(tmp_path: Path) -> None:
    Database(tmp_path / "new.sqlite3").close()
    made = make_engine(tmp_path / "new.sqlite3", read_only=True)
    migrated = make_engine(tmp_path / "old.sqlite3", read_only=False)
    with migrated.connect() as connection:
        upgrade(connection)
    with made.connect() as new, migrated.connect() as old:
        assert live_revision(new) == live_revision(old) == REVISION
    assert shapes(made) == shapes(migrated)
    made.dispose()
    migrated.dispose()


def shapes(engine) -> dict[str, object]:
    """Columns, keys and indexes of every table, in a form that can be compared."""
    inspector = inspect(engine)
    foreign_keys = inspector.get_foreign_keys
    return {
        table: {
            "columns": [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)],
            "key": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(f"{k['constrained_columns']} {k['referred_table']}" for k in foreign_keys(table)),
            "unique": sorted(str(u["column_names"]) for u in inspector.get_unique_constraints(table)),
            "indexes": sorted(
                f"{i['name']} {i['column_names']} {i['unique']} {i['dialect_options'].get('sqlite_where')}"
                for i in inspector.get_indexes(table)
            ),
        }
        for table in inspector.get_table_names()
    }


def test_every_error_is_listed_in_one_package() -> None:
    """So that its exit code and its page do not depend on what a process has imported."""
    code = re.compile(r"^class \w+\(\w+\):\n(?: {4}.*\n|\n)*? {4}code = \"[a-z-]+\"", re.MULTILINE)
    package = ROOT / "src" / "casparian_flow"
    found = {path.parent.relative_to(package) for path in package.rglob("*.py") if code.search(path.read_text("utf-8"))}
    assert found == {Path("core/errors")}
