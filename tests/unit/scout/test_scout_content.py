"""What kind of content a file holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.scout.content import HEAD_BYTES, sniff

DATA = Path(__file__).parents[3].parent / "shared" / "data"
ACCESS = '192.0.2.1 - - [13/Jan/2016:19:31:16 +0000] "GET / HTTP/1.1" 200 494\n'


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("a,b\n1,2\n3,4\n", "delimited"),
        ("id;name;note\n1;x;a, b and c\n", "delimited"),
        ("a\tb\n1\t2\n", "delimited"),
        ('id,note\n1,"two\nlines, one record"\n2,"x"\n3,y\n', "delimited"),
        ('{"a": 1}\n{"a": 2}\n', "jsonl"),
        ('broken\n{"a": 1}\n{"a": 2}\n{"a": 3}\n', "jsonl"),
        ('{"a": 1}', "json"),
        ('[{"a": 1},\n {"a": 2}]\n', "json"),
        ('{"Records": [{"a": 1}, {"a', "json"),
        ("[section]\nkey=value\n", "text"),
        ("[2018-08-19T03:09:13.120Z] I santad: a|b=c\n", "text"),
        (ACCESS * 3, "web_access"),
        ("www.example.com " + ACCESS, "web_access"),
        ("[Wed Oct 11 14:32:52 2000] [error] [client 127.0.0.1] denied\n", "web_error"),
        ("2019/01/01 12:00:00 [notice] 1#1: start\n", "web_error"),
        ("Jan 22 07:52:33 host app[1]: text, with, commas\n" * 4, "syslog"),
        ('<165>1 2003-10-11T22:14:15.003Z host app - ID [a b="c"] text\n', "syslog"),
        ("2024-01-02T03:04:05+01:00 host sshd[1]: Accepted\n", "syslog"),
        ("#Software: Some Server\n#Fields: date time c-ip\n2024-01-02 03:04:05 192.0.2.1\n", "w3c"),
        ("#Version: 1.5\n# notes\nfirst\n#Fields: too late\n", "text"),
        ("2024-01-02 03:04:05,123 INFO app started\n" * 9, "text"),
        ("Dear all,\nas you know, it rains.\nBest regards, Ada\nBye, all\n", "text"),
        ("Hello, my friend, how are you today\nFine, thank you, and you there\n" * 4, "text"),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "text"),
        ("a\x1fb\n1\x1f2\n", "delimited"),
        ("a\x01b\n1\x012\n", "delimited"),
        ("one line\n", "text"),
        ("\n\n \n", "text"),
    ],
)
def test_text_is_told_apart(text: str, kind: str) -> None:
    data = text.encode()
    assert sniff(data, len(data)).kind == kind


@pytest.mark.parametrize(
    ("line", "objects"),
    [
        ('{"a": NaN}', 3),
        ('{"a": 1e999}', 3),
        ('{"a": "\\ud800"}', 3),
        ('{"a": 123456789012345678901234567890}', 3),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", 3),
        ('{"a": ' + "[" * 20_000 + "]" * 20_000 + "}", 2),
        ('{"a": ' + "9" * 5_000 + "}", 2),
        ('{"a": "\x01"}', 2),
        ('{"a": 01}', 2),
    ],
)
def test_an_object_is_what_the_library_takes_for_one(line: str, objects: int) -> None:
    data = f'{{"a": 1}}\n{line}\n{{"a": 2}}\n'.encode()
    assert sniff(data, len(data)).reason == f"{objects} of the first 3 lines are JSON objects"


@pytest.mark.parametrize(("logged", "kind"), [(6, "syslog"), (5, "text")])
def test_a_log_is_what_has_two_lines_of_it_in_three(logged: int, kind: str) -> None:
    data = ("other\n" * (9 - logged) + "Jan 22 07:52:33 host app[1]: text\n" * logged).encode()
    assert sniff(data, len(data)).kind == kind


@pytest.mark.parametrize(("stamped", "kind"), [(5, "text"), (4, "delimited")])
def test_a_comma_of_clocks_splits_nothing_where_most_lines_begin_with_it(stamped: int, kind: str) -> None:
    data = ("2024-01-02 03:04:05,123\n" * stamped + "a,b\n" * (9 - stamped)).encode()
    assert sniff(data, len(data)).kind == kind


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_encodings_do_not_change_the_kind(encoding: str) -> None:
    data = "id,name\n1,x\n2,y\n".encode(encoding)
    assert sniff(data, len(data)).kind == "delimited"


@pytest.mark.parametrize(
    ("head", "kind", "reason"),
    [
        (b"ElfFile\0" + bytes(100), "evtx", "event log"),
        (b"SQLite format 3\0" + bytes(84), "sqlite", "SQLite"),
        (b"PK\x03\x04rest", "binary", "zip: archives and compressed files are read in a later release"),
        (b"\x1f\x8b\x08", "binary", "gzip: archives"),
        (bytes(257) + b"ustar\x0000", "binary", "tar: archives"),
        (b"regf\x01", "binary", "registry hive"),
        (b"\x1e\0\0\0SCCA", "binary", "prefetch"),
        (b"\x00\x00\x00\x00\xef\xcd\xab\x89", "binary", "ESE database"),
        (b"text with\0one NUL byte", "binary", "NUL"),
        (bytes(range(1, 32)) * 9, "binary", "control characters"),
        ("no table\nat all\n".encode("utf-32"), "binary", "UTF-32"),
    ],
)
def test_binary_formats_are_named(head: bytes, kind: str, reason: str) -> None:
    found = sniff(head, len(head))
    assert found.kind == kind
    assert reason in found.reason


def test_a_record_cut_by_the_end_of_the_head_is_not_counted() -> None:
    data = b"a,b,c\n" + b"1,2,3\n" * 40_000
    assert sniff(data[:HEAD_BYTES], len(data)).kind == "delimited"
    line = b'{"a": "' + b"x" * 40_000 + b'"}\n'
    assert sniff((line * 3)[:HEAD_BYTES], 3 * len(line)).kind in {"json", "jsonl"}


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"{", b'[{"', b"\xff\xfe", b'a,"', b"<1>1 ", b"\xef\xbb\xbf["]))
def test_nothing_makes_it_raise(data: bytes, start: bytes) -> None:
    head = start + data
    assert sniff(head, len(head)).kind


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data beside the repository")
def test_real_logs_are_not_mistaken_for_delimited_text() -> None:
    delimited = {
        file.name
        for file in (DATA / "logs").iterdir()
        if file.is_file() and sniff(file.read_bytes()[:HEAD_BYTES], file.stat().st_size).kind == "delimited"
    }
    assert delimited == {
        "AccessProtectionLog.txt",
        "Symantec.Log",
        "atlassian-bitbucket-access.log",
        "networkminer.pcap.FileInfos.csv",
        "password.csv",
    }
