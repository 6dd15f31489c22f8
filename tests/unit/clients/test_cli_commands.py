"""Every command answers in every format, on success and on failure, and nothing from a file acts on a terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import sys
from pathlib import Path

import pytest

from builders import HOSTILE
from casparian_flow.clients.cli.errors import write_report
from casparian_flow.clients.cli.root import COMMANDS, root
from casparian_flow.core.text import safe_text

SUCCEED = [
    "version",
    "status",
    "doctor",
    "files",
    "files --state done --state failed",
    "files list --ext csv --since 3650d --source /evidence",
    "files --untagged",
    "files show done.csv",
    "file show /evidence/failed.csv",
    "tags",
    "tags add done.csv partly.csv seen",
    "tag remove partly.csv odd",
    "rules",
    "rules show 1",
    "rules add 'new*' --tag fresh --priority 60 --parser csv --topic t",
    "rules remove 1 --yes",
    "jobs",
    "jobs --state failed --parser csv --since 2026-01-01 --file failed.csv",
    "jobs show @last",
    "jobs show @-1",
    "jobs logs 3700000000000000002",
    "quarantine",
    "quarantine --table sales --code cf.cast",
    "contract",
    "contracts --state applied",
    "contract show sales",
    "contract show 1",
    "parser",
    "parsers --versions",
    "config",
    "config show --origin",
    "config get run.workers",
    "config set run.workers 2",
    "config unset run.workers",
    "config path",
    "config check",
    "config schema",
    "doctor --fix",
    "explain",
    "explain gave_up",
    "help formats",
    "help schemas",
    "help schemas job",
    "version --verbose",
    "jobs --where accepted>3 --sort -accepted",
    "files --where path~csv --sort size --limit 2",
    "init case",
]
FAIL = {
    "files show nothing.csv": 5,
    "files --state odd": 2,
    "files --since yesterday": 2,
    "files --fields colour": 2,
    "tags add nothing.csv seen": 5,
    "tags add done.csv 'two words'": 2,
    "rules show 99": 5,
    "rules add '*.csv' --tag sales": 2,
    "rules remove 99": 5,
    "rules remove 1": 2,
    "jobs show 12": 5,
    "jobs show 37": 2,
    "jobs show @-99": 5,
    "jobs show sales": 2,
    "jobs logs 12": 5,
    "contract show nothing": 5,
    "contract show 99": 5,
    "contract show sales --version 9": 5,
    "config get run.worker": 2,
    "config import nothing.toml": 5,
    "explain no-such-thing": 5,
    "help nothing": 5,
    "help jobs shwo": 2,
    "help schemas nothing": 5,
    "files --where colour=red": 2,
    "files --where size": 2,
    "files --sort colour": 2,
    "config set run.workers many": 2,
    "config set run.wrokers 2": 2,
    "files --set run.wrokers=2": 2,
    "files --set nonsense": 2,
    "fiels": 2,
    "files lsit": 2,
    "files --limit 0": 2,
    "": 0,
}
INERT = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]")


@pytest.mark.parametrize("line", SUCCEED)
def test_every_command_answers_in_json(ask, line):
    answer = ask(*shlex.split(line), "--json")
    assert answer.code == 0, answer.err
    assert re.fullmatch(r"casparian\.[a-z.-]+/1", answer.json["schema"])
    assert answer.out.isascii()


@pytest.mark.parametrize("line", SUCCEED)
def test_every_command_answers_in_every_other_format(ask, line):
    words = shlex.split(line)
    if words[:2] in (["rules", "add"], ["rules", "remove"]):  # which cannot be done twice
        words.append("--dry-run")
    table, plain, rows, objects, markdown = (
        ask("--format", format_, *words) for format_ in ("table", "plain", "csv", "jsonl", "md")
    )
    for answer in (table, plain, rows, objects, markdown):
        assert answer.code == 0, answer.err
    for text in (table.out, plain.out.replace("\t", ""), markdown.out):
        assert not INERT.search(text)
    assert len({len(row) for row in csv.reader(io.StringIO(rows.out))}) == 1
    assert all(json.loads(row) for row in objects.out.splitlines())


@pytest.mark.parametrize("line", [line for line in FAIL if line])
def test_a_failure_is_one_json_object_on_standard_error(ask, line):
    answer = ask(*shlex.split(line), "--json")
    assert answer.code == FAIL[line]
    failure = json.loads(answer.err)
    assert failure["schema"] == "casparian.error/1"
    assert failure["exit_code"] == answer.code
    assert failure["retryable"] is False
    assert answer.out == ""


@pytest.mark.parametrize("line", [line for line in FAIL if line])
def test_a_failure_is_at_most_four_lines_for_a_person(ask, line):
    lines = ask(*shlex.split(line)).err.splitlines()
    assert re.match(r"error\[[a-z-]+\]: ", lines[0])
    assert [each.split()[0] for each in lines[1:]] == [
        name for name in ("where", "why", "fix") if any(each.startswith(f"  {name}") for each in lines)
    ]
    assert len(lines) <= 4


def test_the_command_alone_shows_the_help(ask):
    answer = ask(home=None)
    assert answer.code == 0
    assert all(entry.name in answer.out for entry in COMMANDS)


def test_every_word_of_the_list_leads_to_its_command():
    for entry in COMMANDS:
        for word in (entry.name, *entry.also):
            command = root.get_command(None, word)
            assert command is not None and command.name == entry.name


@pytest.mark.parametrize("place", ["before", "after", "between"])
def test_shared_options_may_stand_anywhere(ask, place, home):
    words = ["files", "show", "done.csv"]
    words.insert({"before": 0, "between": 1, "after": 3}[place], "--json")
    assert ask(*words).json["file"]["path"] == "done.csv"


def test_a_bare_noun_lists_also_with_options_of_the_list(ask):
    bare, with_options = ask("files", "--ext", "csv"), ask("files", "list", "--ext", "csv")
    assert bare == with_options and bare.out


def test_a_wrong_word_suggests_the_right_one(ask):
    assert "casparian quarantine" in ask("quarentine").err
    assert "casparian jobs show" in ask("jobs", "shwo", "1").err


def test_a_prefix_is_not_a_command(ask):
    assert ask("stat").code == 2


def test_a_hostile_name_is_shown_as_codes_in_text_and_escaped_in_json(ask):
    plain = ask("files", "--state", "missing", "--fields", "path")
    assert plain.out == safe_text(HOSTILE) + "\n"
    answer = ask("files", "--state", "missing", "--json")
    assert "\\u001b" in answer.out and "\\u202e" in answer.out
    assert answer.json["files"][0]["path"] == HOSTILE


def test_a_hostile_message_in_an_error_is_inert(ask):
    answer = ask("files", "show", "a\x1b[2Jb")
    assert answer.code == 5
    assert "\x1b" not in answer.err and "\\x1b[2J" in answer.err


def test_removing_a_rule_asks_first_and_never_waits_without_a_terminal(ask):
    refused = ask("rules", "remove", "1")
    assert refused.code == 2 and "--yes" in refused.err
    assert len(ask("rules", "--json").json["rules"]) == 1
    assert ask("rules", "remove", "1", "--yes").code == 0
    assert ask("rules", "--json").json["rules"] == []


def test_the_limit_cuts_the_list_and_says_so(ask):
    answer = ask("files", "--limit", "2", "--json")
    assert len(answer.json["files"]) == 2
    assert answer.json["next_cursor"]
    assert "--all" in answer.err
    assert ask("files", "--limit", "2", "-q").err == ""
    whole = ask("files", "--json")
    assert whole.json["next_cursor"] is None and whole.err == ""


def test_fields_choose_and_order_what_is_shown(ask):
    assert ask("files", "--state", "failed", "--fields", "reason,path").out == "gave_up\tfailed.csv\n"
    only = ask("files", "--state", "failed", "--fields", "size", "--json").json["files"]
    assert only == [{"size": 1500}]


def test_an_unforeseen_error_leaves_a_report_and_no_traceback(ask, home, monkeypatch):
    def broken(*_args):
        raise ZeroDivisionError("".join(("a value", " of a file")))

    monkeypatch.setattr("builders.open_reading", broken)
    answer = ask("status")
    assert answer.code == 1
    assert "Traceback" not in answer.err and "error[crash]" in answer.err
    (report,) = (home / "crashes").iterdir()
    assert str(report) in answer.err
    assert "ZeroDivisionError in broken, test_cli_commands.py line " in report.read_text()
    assert "a value of a file" not in report.read_text() + answer.err
    assert report.stat().st_mode & 0o077 == 0
    assert "Traceback" in ask("status", "--debug").err


def test_a_report_does_not_repeat_what_was_typed(tmp_path, monkeypatch):
    typed = ["casparian", "repair", "row", "ab:7", "--set=ssn=SSN-1", "--reason", "SSN-1", "--json"]
    monkeypatch.setattr(sys, "argv", typed)
    report = write_report(ZeroDivisionError("SSN-1"), tmp_path / "crashes")
    assert "command repair --set --reason --json and 3 more words\n" in report.read_text()
    assert "SSN-1" not in report.read_text()


def test_the_keyboard_ends_a_command_with_130(ask, monkeypatch):
    def interrupted(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr("builders.open_reading", interrupted)
    answer = ask("status", "--json")
    assert answer.code == 130
    assert json.loads(answer.err)["code"] == "interrupted"


def test_a_damaged_database_is_named_with_what_to_do(ask, home):
    (home / "state.sqlite3").write_bytes(b"not a database, " * 1000)
    answer = ask("status", "--json")
    assert answer.code == 7
    assert json.loads(answer.err)["fix"] == "casparian doctor"
    assert ask("doctor").code == 1


def test_reading_a_home_that_does_not_exist_makes_none(ask, tmp_path: Path):
    answer = ask("status", "--json", home=tmp_path / "nowhere")
    assert answer.json["next"][0] == "casparian run DIR"
    assert not (tmp_path / "nowhere").exists()


def test_a_broken_setting_stops_reading_but_can_be_taken_out(ask, home):
    (home / "config.toml").write_text("[run]\nwrokers = 2\n")
    failed = ask("status")
    assert failed.code == 2 and "run.workers" in failed.err
    assert ask("config", "unset", "run.wrokers").code == 0
    assert ask("status").code == 0


def test_an_option_as_the_fix_stands_in_the_whole_command(ask, home):
    said = ask("rules", "remove", "1").err.splitlines()
    assert said[0] == "error[usage]: this must be confirmed, and nobody is at a terminal"
    assert said[-1] == f"  fix   casparian --home {home} rules remove 1 --yes"
    assert ask("rules", "remove", "1", "--yes").code == 0
    assert (
        ask("run", "x", "--option", "a b", "--", "it's")
        .err.splitlines()[-1]
        .endswith(" run x --option 'a b=VALUE' -- 'it'\"'\"'s'")
    )


@pytest.mark.parametrize(
    ("typed", "fixed"),
    [
        ("run x --option null --option a=1", "run x --option a=1 --option null=VALUE"),
        ("run x --option null=NA --option null", "run x --option null=NA --option null=VALUE"),
        ("run x --option null=- --option null=N/A", "run x --option null=-,N/A"),
        ("run x --option null=-,NA --option=null=NA", "run x --option null=-,NA"),
        ("run x --option delimiter=a --option delimiter=b", "run x --option delimiter=b"),
        ("run x --topic sales --topic b=c", "run x --topic b=c --topic sales=parquet://out"),
        ("quarantine --where cod=X", "quarantine --where code=X"),
        ("quarantine --where rows=1 --where=cod=X", "quarantine --where rows=1 --where code=X"),
        ("quarantine --where cod", "quarantine --where group=VALUE"),
        ("quarantine --sort -cod", "quarantine --sort -code"),
        ("quarantine --fields cod,rows", "quarantine --fields code,rows"),
        (
            "quarantine repair a:1 --reason r --set n --set m=1",
            "quarantine repair a:1 --reason r --set m=1 --set n=VALUE",
        ),
        ("quarantine repair a:1 --reason r --set n=1 --set n=2", "quarantine repair a:1 --reason r --set n=2"),
    ],
)
def test_a_fix_puts_the_right_word_in_the_place_of_the_wrong_one(ask, home, typed, fixed):
    failed = ask(*shlex.split(typed))
    assert failed.code == 2
    assert failed.err.splitlines()[-1] == f"  fix   casparian --home {home} {fixed}"


def test_a_column_is_not_set_and_emptied_at_once(ask):
    failed = ask("quarantine", "repair", "a:1", "--set", "n=1", "--null", "n", "--reason", "r")
    assert (failed.code, failed.err.splitlines()[0]) == (2, "error[usage]: n is to hold a value, and nothing")


def test_a_case_folder_is_made_where_it_is_named_or_not_at_all(ask, tmp_path):
    for words in (["--home", "elsewhere", "init", "my case"], ["init", "my case", "--case", "other"]):
        refused = ask(*words, home=None)
        assert (refused.code, refused.err.splitlines()[-1]) == (2, "  fix   casparian init 'my case'")
    assert not (tmp_path / "my case").exists()
