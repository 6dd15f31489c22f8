"""A command line that runs in this process on a home of its own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builders import eventful_home, open_control
from casparian_flow.clients.cli.root import run
from product import conforming


@dataclass(frozen=True)
class Answer:
    """What one command line left behind."""

    code: int
    out: str
    err: str
    is_whole: bool = True
    """False where `--fields` or `--agent` make it something else than its schema says."""

    @property
    def json(self) -> Any:
        """The one JSON value that standard output holds, valid against the schema that it names."""
        answer = json.loads(self.out)
        return conforming(answer) if self.is_whole else answer


Ask = Callable[..., Answer]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return eventful_home(tmp_path / "home").path


@pytest.fixture
def ask(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ask:
    """Run a command line on the eventful home; with `home=None`, and for `init`, on the one that it finds itself."""
    for name in ("NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "ACCESSIBLE", "CASPARIAN_AGENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)
    default = home

    def ask(*words: str, home: Path | None = default) -> Answer:
        given = ("--home", str(home)) if home and "init" not in words else ()
        code = run([*given, *words], open_control)
        out, err = capsys.readouterr()
        return Answer(code, out, err, is_whole=not {"--fields", "--agent"} & set(words))

    return ask
