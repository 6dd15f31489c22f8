"""The product as a person uses it: its command in a process of its own, over a home of its own.

A command that is only waited for is forked off a process that has loaded the product: loading it takes longer than most
commands. So are its guests off an interpreter that has loaded what they load. What is started and left to itself begins
as it does for a person.
"""

from __future__ import annotations

import atexit
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack, chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any
from unittest.mock import patch

import pyarrow as pa
from jsonschema import Draft202012Validator

from casparian_flow.clients.cli.root import run
from casparian_flow.core.errors import NotFound
from casparian_flow.core.outputs import Role
from casparian_flow.operations.doing.home.schemas import read_schemas
from casparian_flow.sinks.uri import open_sink
from casparian_flow.worker import guest
from warm_guests import forked_at, nursery
from warm_process import WarmProcess

SOURCE = Path(__file__).parent.parent / "src"
LONGEST_SECONDS = 200


@cache
def warm_process() -> WarmProcess:
    """What commands are forked off, for the tests of this process."""
    folder = TemporaryDirectory(prefix="cf")
    warm = WarmProcess(Path(folder.name), SOURCE, nursery())
    atexit.register(folder.cleanup)
    atexit.register(warm.close)
    return warm


def conforming(answer: Any) -> Any:
    """The answer, which must be valid against the schema that it names."""
    validator(answer["schema"]).validate(answer)
    return answer


@cache
def validator(name: str) -> Draft202012Validator:
    """Checks answers of one schema."""
    return Draft202012Validator(read_schemas()[name])


@dataclass(frozen=True)
class Answer:
    """What a command did: its exit code and what it wrote."""

    code: int
    out: str
    err: str
    is_whole: bool = True
    """False where `--fields` or `--agent` make it something else than its schema says."""

    @property
    def json(self) -> Any:
        """Standard output as JSON that is what its schema promises."""
        answer = json.loads(self.out)
        return conforming(answer) if self.is_whole else answer


@dataclass(frozen=True)
class Product:
    """One home, and the command `casparian` over it."""

    home: Path
    through: tuple[str, ...] = ()
    """A command that starts ours, such as one that sets limits first."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables of every command."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.home.parent), "PYTHONPATH": str(SOURCE)}

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """The command in a session of its own, its output captured."""
        return subprocess.Popen(
            [*self.through, sys.executable, "-m", "casparian_flow", "--home", str(self.home), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
            env=self.environment,
            cwd=cwd,
            start_new_session=True,
        )

    def __call__(self, *arguments: str, cwd: Path | None = None, expect: Sequence[int] | None = None) -> Answer:
        """The command, to its end. With `expect`, any other exit code fails the test and shows what was said."""
        if self.through:
            process = self.start(*arguments, cwd=cwd)
            out, err = process.communicate(timeout=LONGEST_SECONDS)
            code = process.returncode
        else:
            code, out, err = self._asked(arguments, cwd)
        answer = Answer(code, out, err, is_whole="--fields" not in arguments and "--agent" not in arguments)
        if expect is not None:
            assert answer.code in expect, f"{arguments} ended with {answer.code}\n{out}\n{err}"
        return answer

    def _asked(self, arguments: Sequence[str], cwd: Path | None) -> tuple[int, str, str]:
        with ExitStack() as stack:
            nothing = stack.enter_context(Path(os.devnull).open("rb"))
            said = [
                stack.enter_context(TemporaryFile("w+", encoding="utf-8", errors="surrogateescape")) for _ in range(2)
            ]
            streams = [each.fileno() for each in (nothing, *said)]
            code = warm_process()(
                ["--home", str(self.home), *arguments], streams, self.environment, cwd or Path.cwd(), LONGEST_SECONDS
            )
            for each in said:
                each.seek(0)
            out, err = (each.read() for each in said)
        return code, out, err

    def run(self, *arguments: str, expect: Sequence[int] = (0, 3)) -> Any:
        """`casparian run … --json`, its reply."""
        return self("run", *arguments, "--json", expect=expect).json

    def table(self, name: str, role: Role = Role.ACCEPTED, sink: str | None = None) -> pa.Table:
        """The visible rows of a table, read from the target alone, without the control database."""
        try:
            return open_sink(sink or f"parquet://{self.home}").read(name, role).read_all()
        except NotFound:
            return pa.table({})

    def tables(self, role: Role = Role.ACCEPTED, sink: str | None = None) -> list[str]:
        """The tables that were ever committed to."""
        return open_sink(sink or f"parquet://{self.home}").tables(role)

    def content(self, sink: str | None = None) -> dict[str, list[str]]:
        """Every visible row of every table in both roles, without what differs from run to run, sorted."""
        found = {}
        for role in Role:
            for name in self.tables(role, sink):
                table = self.table(name, role, sink)
                kept = [
                    c for c in table.column_names if c not in ("_cf_job_id", "_cf_processed_at", "_cf_file_version_id")
                ]
                found[f"{role} {name}"] = sorted(map(repr, table.select(sorted(kept)).to_pylist()))
        return found


class ProductHere(Product):
    """The same command line, read by this process: for tests that ask many times. Guests stay processes."""

    def __call__(self, *arguments: str, cwd: Path | None = None, expect: Sequence[int] | None = None) -> Answer:
        """The command, to its end. With `expect`, any other exit code fails the test and shows what was said."""
        return ask_here("--home", str(self.home), *arguments, cwd=cwd, expect=expect)


def ask_here(*arguments: str, cwd: Path | None = None, expect: Sequence[int] | None = None) -> Answer:
    """What a command line that this process reads leaves behind, on the home that it names or finds."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with (
        chdir(cwd or Path.cwd()),
        redirect_stdout(out),
        redirect_stderr(err),
        patch.object(guest, "_start_fresh", forked_at(nursery())),
    ):
        code = run(arguments)
    said, told = (stream.buffer.getvalue().decode() for stream in (out, err))  # type: ignore[attr-defined]
    assert expect is None or code in expect, f"{arguments} ended with {code}\n{said}\n{told}"
    return Answer(code, said, told, is_whole=not {"--fields", "--agent"} & set(arguments))
