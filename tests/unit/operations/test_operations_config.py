"""Settings are checked as a whole, described, and taken over from files of earlier designs."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator, ValidationError

from casparian_flow.core.errors import ConfigError, NotFound
from casparian_flow.operations.doing.home import config
from casparian_flow.operations.home.config import CheckConfig, DescribeConfig, ImportConfig
from casparian_flow.operations.local import Local
from casparian_flow.settings import Home


@pytest.fixture
def place(tmp_path: Path) -> Local:
    home = Home(tmp_path / "home")
    home.path.mkdir()
    return Local(home=home, case=None, env={}, overrides={}, cwd=tmp_path, now_ns=0)


def with_(place: Local, **changes) -> Local:
    values = {"home": place.home, "case": None, "env": {}, "overrides": {}, "cwd": place.cwd, "now_ns": 0}
    return Local(**(values | changes))


def test_everything_that_is_wrong_is_found_at_once(place):
    place.home.config.write_text("stray = 1\n[run]\nwrokers = 2\nworkers = 'many'\n[ui]\nlimit = 3\n")
    wrong = with_(place, env={"CASPARIAN__UI__LIMIT": "none"}, overrides={"run.x": "1"})
    reply = config.check(wrong, CheckConfig())
    assert not reply.is_sound
    assert [each.where for each in reply.findings] == [str(place.home.config)] * 3 + ["CASPARIAN__UI__LIMIT", "--set"]
    assert any("run.workers" in each.why for each in reply.findings)


def test_a_file_that_is_no_toml_is_one_finding(place):
    place.home.config.write_text("[run\n")
    (finding,) = config.check(place, CheckConfig()).findings
    assert finding.where == str(place.home.config)


def test_sound_settings_have_no_findings(place):
    place.home.config.write_text("[run]\nworkers = 2\n")
    assert config.check(place, CheckConfig()).is_sound


def test_the_file_of_the_first_designs_is_read_and_what_is_left_is_named(place):
    old = place.cwd / "global_config.toml"
    old.write_text(
        '[database]\ntype = "sqlite3"\ndb_location = "casparian_flow.sqlite3"\n[run]\nworkers = 3\n[x]\ny = 1\n'
    )
    reply = config.import_(place, ImportConfig(file="global_config.toml"))
    assert [(each.key, each.value) for each in reply.taken] == [("run.workers", 3)]
    assert {each.key for each in reply.left} == {"database.type", "database.db_location", "x.y"}
    assert all(each.why for each in reply.left)
    assert tomllib.loads(place.home.config.read_text()) == {"run": {"workers": 3}}


def test_a_value_that_does_not_fit_takes_over_nothing(place):
    (place.cwd / "old.toml").write_text("[run]\nworkers = 3\njob_seconds = -1\n")
    with pytest.raises(ConfigError):
        config.import_(place, ImportConfig(file="old.toml"))
    assert not place.home.config.exists()
    with pytest.raises(NotFound):
        config.import_(place, ImportConfig(file="nothing.toml"))


def test_the_schema_accepts_what_the_settings_accept(place):
    check = Draft202012Validator(config.schema(place, DescribeConfig()).body)
    check.validate({"run": {"workers": 2}, "ui": {"accessible": True}})
    for wrong in ({"run": {"wrokers": 2}}, {"run": {"workers": "many"}}, {"stray": 1}):
        with pytest.raises(ValidationError):
            check.validate(wrong)
