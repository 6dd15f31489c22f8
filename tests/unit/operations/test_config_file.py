"""A setting is written by one line; every other line, comments included, stays as it was."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casparian_flow.core.errors import ConfigError
from casparian_flow.operations.home.config_file import with_setting, write_setting

TEXT = """\
# how this case runs
[run]
# slow machine
workers = 1  # one only

[ui]
limit = 20
"""


def test_a_line_that_is_there_is_replaced():
    assert with_setting(TEXT, "run", "workers", 8) == TEXT.replace("workers = 1  # one only", "workers = 8")


def test_a_new_setting_goes_to_the_end_of_its_section():
    assert with_setting(TEXT, "run", "memory_mb", 64) == TEXT.replace("only\n", "only\nmemory_mb = 64\n")


def test_a_new_section_goes_to_the_end_of_the_file():
    assert with_setting(TEXT, "governance", "first_contract", "hold").endswith(
        'limit = 20\n\n[governance]\nfirst_contract = "hold"\n'
    )
    assert with_setting("", "ui", "accessible", True) == "[ui]\naccessible = true\n"


def test_taking_a_setting_out_leaves_the_rest():
    assert with_setting(TEXT, "ui", "limit", None) == TEXT.replace("limit = 20\n", "")
    assert with_setting(TEXT, "ui", "absent", None) == TEXT


@pytest.mark.parametrize(
    "text",
    ["run = {workers = 1}\n", "run.workers = 1\n", '[ui]\nnote = """\n[run]\nworkers = 1\n"""\n[run]\nworkers = 2\n'],
)
def test_a_file_that_one_line_cannot_change_is_refused(text):
    with pytest.raises(ConfigError):
        with_setting(text, "run", "workers", 5)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "c_d"]), st.one_of(st.integers(), st.booleans(), st.text()), min_size=1),
    st.sampled_from(["a", "b", "new"]),
    st.one_of(st.none(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
)
def test_what_is_written_is_read_back(before, name, value):
    text = ""
    for key, old in before.items():
        text = with_setting(text, "s", key, old)
    expected = {**before, name: value}
    if value is None:
        expected.pop(name)
    assert tomllib.loads(with_setting(text, "s", name, value))["s"] == expected


def test_the_file_is_replaced_at_once_and_nothing_is_left_beside_it(tmp_path: Path):
    path = tmp_path / "home" / "config.toml"
    write_setting(path, "run", "workers", 3)
    write_setting(path, "run", "workers", 4)
    assert path.read_text() == "[run]\nworkers = 4\n"
    assert [each.name for each in path.parent.iterdir()] == ["config.toml"]
