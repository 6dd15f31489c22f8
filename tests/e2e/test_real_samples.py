"""A run over the real sample files: every file accounted for, every row kept, nothing done twice."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from product import Product
from typed_rows import values_of

KINDS = {
    "logs/syslog_copy": ("syslog", "syslog", "syslog"),
    "logs/appfirewall.log": ("syslog", "syslog", "syslog"),
    "logs/security.log": ("syslog", "syslog", "syslog"),
    "logs/apache_access.log": ("web_access", "web_access", "web_access"),
    "logs/windows_firewall.log": ("w3c", "w3c", "windows_firewall"),
    "logs/iis/iis10.log": ("w3c", "w3c", "iis"),
    "logs/iis/iis6.log": ("w3c", "w3c", "iis"),
    "logs/password.csv": ("delimited", "delimited", "password"),
    "logs/Symantec.Log": ("delimited", "delimited", "symantec"),
    "logs/AccessProtectionLog.txt": ("delimited", "delimited", "access_protection_log"),
    "logs/networkminer.pcap.FileInfos.csv": ("delimited", "delimited", "networkminer"),
    "logs/atlassian-bitbucket-access.log": ("delimited", "delimited", "atlassian_bitbucket_access"),
    "logs/santa.log": ("text", "lines", "log_lines"),
    "logs/postgresql.log": ("text", "lines", "log_lines"),
    "logs/audit_enriched.log": ("text", "lines", "log_lines"),
    "logs/vsftpd.log": ("text", "lines", "log_lines"),
    "logs/powershell_transcript.txt": ("text", "lines", "log_lines"),
    "jsonl/aws_cloudtrail.jsonl": ("jsonl", "jsonl", "aws_cloudtrail"),
    "jsonl/ios_app_privacy_report.ndjson": ("jsonl", "jsonl", "ios_app_privacy_report"),
    "evtx/security.evtx": ("evtx", "evtx", "evtx_events"),
    "browser/chrome/cookies.db": ("sqlite", "sqlite", "cookies__cookies"),
}


@dataclass(frozen=True)
class Case:
    """A copy of the samples, the product that ran over it, and what the run said."""

    product: Product
    folder: Path
    reply: Any
    files: dict[str, Any]

    def ask(self, query: str) -> list[dict[str, Any]]:
        return self.product("sql", query, "--json", expect=[0]).json["rows"]


@pytest.fixture(scope="module")
def case(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("samples")
    shutil.copytree(shared_data, folder / "data", copy_function=shutil.copyfile)
    for path in (folder / "data").rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    product = Product(folder / "home")
    reply = product.run(str(folder / "data"))
    listed = product("files", "--json", "--all", expect=[0]).json["files"]
    yield Case(product, folder / "data", reply, {file["path"]: file for file in listed})


def test_every_file_has_a_state_and_a_reason(case: Case) -> None:
    on_disk = {path.relative_to(case.folder).as_posix() for path in case.folder.rglob("*") if path.is_file()}
    assert on_disk == set(case.files)
    assert {file["state"] for file in case.files.values()} <= {"done", "quarantined", "skipped"}
    assert all(file["reason"] for file in case.files.values())
    assert case.reply["failed"] == 0


def test_no_row_is_lost(case: Case) -> None:
    said = case.ask(
        "SELECT sum(accepted)::BIGINT AS accepted, sum(quarantined)::BIGINT AS quarantine FROM cf_materializations"
    )[0]
    assert said == {"accepted": case.reply["accepted"], "quarantine": case.reply["quarantined"]}
    kept = {role: sum(case.product.table(name, role).num_rows for name in case.product.tables(role)) for role in Role}
    assert kept == {Role.ACCEPTED: case.reply["accepted"], Role.QUARANTINE: case.reply["quarantined"]}


@pytest.mark.parametrize("path", KINDS)
def test_a_file_gets_the_parser_and_the_table_of_its_kind(case: Case, path: str) -> None:
    file = case.files[path]
    kind, parser, table = KINDS[path]
    assert (file["content"], file["parser"]) == (kind, parser)
    assert table in file["tables"]


def test_what_cannot_be_read_yet_says_so(case: Case) -> None:
    read_later = (
        "bundles/syslog.gz",
        "bundles/syslog.zip",
        "registry/SAM",
        "registry/SYSTEM.xz",
        "prefetch/CMD.EXE-087B4001.pf",
    )
    for path in read_later:
        assert (case.files[path]["state"], case.files[path]["reason"]) == ("skipped", "no_parser")
        assert case.files[path]["detail"]


def test_sql_answers_over_every_table(case: Case) -> None:
    tables = case.product("tables", "--json", "--all", expect=[0]).json["tables"]
    names = [entry["table"] for entry in tables if entry["kind"] == "output"]
    query = " UNION ALL ".join(f"SELECT '{name}' AS name, count(*) AS n FROM {name}" for name in names)
    counted = {row["name"]: row["n"] for row in case.ask(query)}
    assert counted == {entry["table"]: entry["accepted"] for entry in case.reply["tables"]}


def test_readable_chunks_of_a_damaged_event_log_are_read(case: Case) -> None:
    path = "evtx/sample_with_a_bad_chunk_magic.evtx"
    books = case.ask(
        "SELECT records_read, chunks_bad FROM evtx_files"
        f" JOIN cf_row_files ON source_hash = _cf_source_hash WHERE rel_path = '{path}'"
    )
    assert books[0]["records_read"] > 0
    assert books[0]["chunks_bad"] > 0


def test_rows_that_only_the_write_ahead_log_holds_are_read(case: Case) -> None:
    assert case.product.table("wal_database__my_table").num_rows == 11
    assert case.files["sqlite/wal_database.db-wal"]["detail"] == "part of sqlite/wal_database.db"


def test_only_lines_that_are_damaged_are_quarantined(case: Case) -> None:
    tables = {name: case.product.table(name, Role.QUARANTINE).num_rows for name in case.product.tables(Role.QUARANTINE)}
    assert {name: count for name, count in tables.items() if name != "evtx_events" and count} == {
        "syslog": 2,
        "access_protection_log": 1,
    }


def test_values_have_their_types(case: Case) -> None:
    names, rows = values_of(case.product.table("windows_firewall"))
    row = dict(zip(names, rows[0], strict=True))
    assert (str(row["date"]), str(row["time"]), row["src_port"], row["info"]) == ("2005-04-11", "08:05:57", 137, None)
    names, rows = values_of(case.product.table("password"))
    assert rows[0] == ("bank", "joesmith", "superrich")


def test_a_second_run_does_nothing_and_one_touched_file_is_one_job(case: Case) -> None:
    again = case.product.run(str(case.folder), expect=[0])
    assert (again["run"], again["skipped"]["up_to_date"]) == (0, case.reply["run"])
    with (case.folder / "logs/password.csv").open("a") as file:
        file.write("garden shed,bo,4321\n")
    after = case.product.run(str(case.folder), expect=[0])
    assert (after["run"], after["accepted"]) == (1, 5)
