"""Every answer in JSON has a schema, and a schema that nothing answers with does not exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from casparian_flow.clients.cli.answers import LISTS, OWN, RECORDS, schemas
from casparian_flow.operations.doing.home.schemas import read_schemas

COMMANDS = Path(__file__).parents[3] / "src" / "casparian_flow" / "clients" / "cli"
NAME = re.compile(r'"(casparian\.[a-z.-]+/\d+)"')


def test_every_answer_has_a_schema():
    named = {
        name
        for path in COMMANDS.rglob("*.py")
        if path.name != "answers.py"
        for name in NAME.findall(path.read_text(encoding="utf-8"))
    }
    assert named == schemas().keys(), "add a line to clients/cli/answers.py and run docs/generate.py"
    assert named >= {*RECORDS, *LISTS, *OWN}


def test_the_schemas_in_the_package_are_those_of_the_replies():
    assert read_schemas() == schemas(), "run docs/generate.py"


def test_every_schema_is_one():
    for body in schemas().values():
        Draft202012Validator.check_schema(body)
        assert body["title"].endswith(".")


def test_a_schema_refuses_what_is_no_such_answer(ask):
    answer = json.loads(ask("jobs", "show", "@last", "--json").out)
    check = Draft202012Validator(read_schemas()["casparian.job/1"])
    assert list(check.iter_errors(answer)) == []
    assert list(check.iter_errors({**answer, "job": 7}))
    assert list(check.iter_errors({name: value for name, value in answer.items() if name != "sinks"}))
    assert list(check.iter_errors({**answer, "schema": "casparian.jobs/1"}))


def test_an_error_is_what_its_schema_says(ask):
    failure = json.loads(ask("files", "show", "nope", "--json").err)
    Draft202012Validator(read_schemas()["casparian.error/1"]).validate(failure)


def test_a_schema_is_found_by_the_short_name(ask):
    assert ask("help", "schemas", "job", "--json").json["name"] == "casparian.job/1"
    assert json.loads(ask("help", "schemas", "casparian.job/1").out)["$id"] == "casparian.job/1"
    assert "casparian help schemas casparian.jobs/1" in ask("help", "schemas", "jbos").err
