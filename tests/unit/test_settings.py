"""Settings: later places win, every value knows where it comes from, and a wrong name is never ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from casparian_flow.core.errors import ConfigError, UsageError
from casparian_flow.settings import Home, Settings, find_case, find_home, known_keys, load


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "home").mkdir()
    return Home(tmp_path / "home")


def test_without_anything_given_every_value_is_a_default(home):
    settings, origins = load(home, {}, {})
    assert settings == Settings()
    assert origins == dict.fromkeys(known_keys(), "default")


def test_each_place_wins_over_the_one_before(home, tmp_path):
    case = tmp_path / "case"
    case.mkdir()
    home.config.write_text("[run]\nworkers = 1\nmemory_mb = 100\njob_seconds = 1\n[ui]\nlimit = 1\n")
    (case / "config.toml").write_text("[run]\nmemory_mb = 200\njob_seconds = 2.5\n[ui]\nlimit = 2\n")
    env = {"CASPARIAN__RUN__JOB_SECONDS": "3.5", "CASPARIAN__UI__LIMIT": "3", "CASPARIAN_HOME": "/x"}
    settings, origins = load(home, env, {"ui.limit": "4"}, case=case)
    assert (settings.run.workers, settings.run.memory_mb) == (1, 200)
    assert (settings.run.job_seconds, settings.ui.limit) == (3.5, 4)
    assert origins["run.workers"] == str(home.config)
    assert origins["run.memory_mb"] == str(case / "config.toml")
    assert origins["run.job_seconds"] == "CASPARIAN__RUN__JOB_SECONDS"
    assert origins["ui.limit"] == "--set"
    assert origins["governance.tolerance"] == "default"


def test_text_becomes_the_type_of_the_setting(home):
    settings, _ = load(home, {"CASPARIAN__UI__ACCESSIBLE": "true"}, {"governance.tolerance": "0.25"})
    assert settings.ui.accessible is True
    assert settings.governance.tolerance == 0.25


@pytest.mark.parametrize(
    ("env", "overrides", "where"),
    [
        ({"CASPARIAN__RUN__WORKRES": "2"}, {}, "CASPARIAN__RUN__WORKRES"),
        ({}, {"run.workres": "2"}, "--set"),
    ],
)
def test_an_unknown_name_is_an_error_that_suggests_the_nearest(home, env, overrides, where):
    with pytest.raises(ConfigError) as caught:
        load(home, env, overrides)
    assert caught.value.where == where
    assert caught.value.why == "did you mean run.workers?"


@pytest.mark.parametrize(
    "text", ["[runn]\nworkers = 1\n", "workers = 1\n", "[run]\nworkers = 'x'\n", "[run\n", "[run]\nworkers = -1\n"]
)
def test_a_config_file_that_is_wrong_is_named(home, text):
    home.config.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(home, {}, {})
    assert caught.value.where == str(home.config)


def test_bytes_that_are_not_text_are_an_error_not_a_crash(home):
    home.config.write_bytes(b"[run]\nworkers = \xff\n")
    with pytest.raises(ConfigError):
        load(home, {}, {})


@pytest.mark.parametrize("value", ["adpot", ""])
def test_a_choice_takes_only_its_words(home, value):
    with pytest.raises(ConfigError):
        load(home, {}, {"governance.first_contract": value})


def test_the_home_is_the_one_named_then_the_variable_then_the_case_then_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    case, below = tmp_path / "case" / ".casparian", tmp_path / "case" / "a" / "b"
    below.mkdir(parents=True)
    case.mkdir()
    assert find_home(Path("named"), {"CASPARIAN_HOME": "/var"}, below).path == below / "named"
    assert find_home(None, {"CASPARIAN_HOME": "/var"}, below).path == Path("/var")
    assert find_home(None, {}, below).path == case
    assert find_home(None, {}, tmp_path).path == tmp_path / "user" / ".casparian_flow"


def test_a_case_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    (tmp_path / ".casparian").mkdir()
    monkeypatch.setattr("casparian_flow.cases.os.geteuid", lambda: 12345)
    owner = (tmp_path / ".casparian").stat().st_uid
    if owner == 0:
        assert find_case(tmp_path) == tmp_path / ".casparian"
    else:
        with pytest.raises(UsageError):
            find_case(tmp_path)
