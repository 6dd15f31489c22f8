"""Every code has an explanation, every topic a page, and what they tell a person to type exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from casparian_flow.clients.cli.root import COMMANDS, root
from casparian_flow.core.errors import EXIT_CODES, every_error
from casparian_flow.core.lineage import LINEAGE_SAYS
from casparian_flow.core.quarantine import Code
from casparian_flow.core.reasons import RunReason, SkipReason
from casparian_flow.core.rules import RULE_CODE, RuleKind
from casparian_flow.manual import topics
from casparian_flow.manual.entries import entries
from casparian_flow.operations import index

SOURCE = Path(__file__).parents[3] / "src" / "casparian_flow"
RULES = {f"{RULE_CODE}.{kind}" for kind in RuleKind}
WORDS = re.compile(r"casparian ((?:[a-z][a-z-]* ?)+)")


def test_every_error_reason_and_rejection_is_explained():
    list(index.every())
    codes = {each.code for each in every_error()} | {*RunReason, *SkipReason, *Code, *RULES, "crash", "interrupted"}
    assert codes - entries().keys() == set()


def test_every_code_that_a_shipped_parser_rejects_with_is_explained():
    text = "".join(
        path.read_text(encoding="utf-8") for path in [*SOURCE.rglob("parsers/**/*.py"), *SOURCE.glob("sdk/*.py")]
    )
    codes = set(re.findall(r'(?<!b)"(cf\.[a-z]+\.[a-z_]+)"', text))
    assert len(codes) > 20
    assert codes - entries().keys() == set()


def test_nothing_is_explained_that_does_not_exist():
    list(index.every())
    text = "".join(path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    assert [code for code in entries() if f'"{code}"' not in text and code not in RULES] == []


@pytest.mark.parametrize("entry", entries().values(), ids=lambda entry: entry.code)
def test_an_explanation_says_what_it_is_why_and_what_to_do(entry):
    assert entry.meaning.endswith(".") and entry.causes and entry.steps
    assert all(step.startswith("casparian ") or step.endswith(".") for step in entry.steps)
    for step in entry.steps:
        assert is_command(step), step


@pytest.mark.parametrize("name", topics.names())
def test_a_topic_has_a_title_and_names_commands_that_exist(name):
    text = topics.topic(name)
    assert text.startswith("# ") and not re.search(r"\{[a-z]+_[a-z_]+\}", text)
    for typed in re.findall(r"`(casparian [^`]+)`", text):
        assert is_command(typed), typed


def is_command(text: str) -> bool:
    """Whether the command that the text begins with exists with its verb; text that is none passes."""
    found = WORDS.match(text)
    if found is None or text.startswith("casparian help "):
        return True
    first, *rest = found[1].split()
    command = root.get_command(click.Context(root), first)
    is_verb = not isinstance(command, click.Group) or not rest or rest[0] in command.commands
    options = re.findall(r" (--[a-z-]+)", text)
    verb = command.commands[rest[0]] if isinstance(command, click.Group) and rest and is_verb else command
    if isinstance(verb, click.Group):
        verb = verb.commands[verb.default_verb]
    known = {name for param in verb.params for name in param.opts} if verb else set()
    return verb is not None and is_verb and set(options) <= known


def test_the_lists_of_the_topics_are_whole():
    assert all(f"`{code}`" in topics.topic("exit-codes") for code in EXIT_CODES)
    assert all(f"`{name}`" in topics.topic("row-columns") for name in LINEAGE_SAYS)
    assert all(f"`{code}`" in topics.topic("reasons") for code in (*RunReason, *SkipReason))


def test_the_topic_of_the_environment_names_every_variable_that_is_read():
    text = "".join(path.read_text(encoding="utf-8") for path in (SOURCE / "clients").rglob("*.py"))
    read = set(re.findall(r'(?:env|environ)(?:\.get\(|\[)"([A-Z_]+)"', text)) - {"_CASPARIAN_COMPLETE", "HOME"}
    assert {name for name in read if f"`{name}" not in topics.topic("environment").replace("=", "`")} <= {"TERM"}
    assert "TERM=dumb" in topics.topic("environment")


@pytest.mark.parametrize(("typed", "code"), [("awaiting-approval", "awaiting_approval"), (" HOME-BUSY ", "home-busy")])
def test_a_code_is_found_in_the_form_in_which_people_paste_it(ask, typed, code):
    assert ask("explain", typed, "--json").json["code"] == code


def test_an_error_says_whether_trying_again_helps(ask):
    answer = ask("explain", "home-busy", "--json").json
    assert (answer["exit_code"], answer["can_retry"], answer["action"]) == (6, True, None)
    answer = ask("explain", "gave_up", "--json").json
    assert (answer["exit_code"], answer["can_retry"], answer["action"]) == (None, None, "skip")


def test_a_wrong_code_or_topic_suggests_the_right_one(ask):
    assert "casparian explain cf.csv.arity" in ask("explain", "cf.csv.arty").err
    assert "casparian help formats" in ask("help", "format").err


def leaves(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    if isinstance(command, click.Group):
        for name, verb in command.commands.items():
            yield from leaves(verb, (*words, name))


def test_help_of_a_command_is_its_own_help(ask):
    for entry in COMMANDS:
        for words in leaves(root.get_command(None, entry.name), (entry.name,)):
            assert ask("help", *words, home=None).out.rstrip() == ask(*words, "--help", home=None).out.rstrip(), words


def test_help_alone_lists_commands_and_topics(ask):
    said = ask("help").out
    assert all(entry.name in said for entry in COMMANDS) and all(name in said for name in topics.names())


def test_a_man_page_has_every_verb_and_option_and_nothing_that_acts(ask):
    page = ask("help", "--man", "jobs").out
    assert page.startswith(".TH") and all(f".SS {verb}" in page for verb in ("list", "show", "logs"))
    assert r"\-\-state" in page
    assert "\n." in page and not re.search(r"^\.(?!TH|SH|SS|TP|PP|B|BR)", page, re.MULTILINE)
