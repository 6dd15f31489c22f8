"""Secrets read by a worker of another machine, over TCP: neither machine keeps one, however the worker ends."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from planted import places_of
from planted_people import MAILS, PARSER, ROWS, SECRETS, look
from product import Product

SECONDS = 60.0
SLOW = """
    import time
    from pathlib import Path
    from casparian_flow.sdk import Column, PluginMetadata

    MANIFEST = PluginMetadata(pattern="*.slow", outputs={"slow": [Column("ssn", sensitivity="secret")]})

    def parse(path):
        Path("note").write_text(path.read_text())
        print(path.read_text())
        yield "slow", [{"ssn": line} for line in path.read_text().splitlines()]
        (path.parent / "begun").touch()
        while not (path.parent / "go").exists():
            time.sleep(0.01)
"""


@dataclass(frozen=True)
class Near(Product):
    """A home whose processes have a folder for temporary files of their own, which is searched too."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables of every command."""
        return {**super().environment, "TMPDIR": str(self.home.parent / "tmp")}


def wait_for(holds: Callable[[], object], why: str) -> None:
    until = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < until, why
        time.sleep(0.02)


@contextmanager
def process(product: Product, said: list[str], *words: str, cwd: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process of the product, gone at the end; what it said is kept."""
    started = product.start(*words, cwd=cwd)
    try:
        yield started
    finally:
        started.terminate()
        try:
            said.extend(started.communicate(timeout=SECONDS))
        except subprocess.TimeoutExpired:
            started.kill()
            said.extend(started.communicate())


@pytest.fixture
def near(tmp_path: Path) -> Near:
    """A home with parsers, files and a file for lineage events."""
    product = Near(tmp_path / "near" / "home")
    for folder in (product.home / "plugins", product.home.parent / "tmp", tmp_path / "in", tmp_path / "far"):
        folder.mkdir(mode=0o700, parents=True)
    product.home.chmod(0o700)
    for name, text in (("people", PARSER), ("slow", SLOW)):
        (product.home / "plugins" / f"{name}.py").write_text(textwrap.dedent(text))
    for name, lines in ROWS.items():
        (tmp_path / "in" / name).write_text("".join(f"{line}\n" for line in lines))
    product("config", "set", "lineage.file", str(product.home / "events.ndjson"), expect=[0])
    return product


@pytest.mark.slow
def test_neither_the_sentinel_nor_a_worker_far_away_keeps_a_secret(near: Near, tmp_path: Path) -> None:
    said: list[str] = []
    far, folder, slow = tmp_path / "far", tmp_path / "in", tmp_path / "slow"
    with process(near, said, "serve", "--workers", "0", "--workers-listen", "127.0.0.1:0", "-vv"):
        presence = near.home / "sentinel.json"
        wait_for(presence.exists, "no sentinel")
        (tcp,) = [each for each in json.loads(presence.read_text())["workers"] if each.startswith("tcp:")]
        invited = near("worker", "invite", "--name", "far", expect=[0])
        (invitation,) = re.findall(r"cf-join:\S+", invited.out)
        with process(near, said, "worker", "--join", invitation, "--keys", str(far), "-vv", cwd=far):
            ran = near("run", str(folder), "--parser", "people", "--server", "--json", expect=[1, 3])
            said += [ran.out, ran.err]
        slow.mkdir()
        (slow / "one.slow").write_text("".join(f"{each}\n" for each in SECRETS))
        with process(near, said, "run", str(slow), "--parser", "slow", "--server", "--json") as running:
            joined = ("worker", "--join", tcp, "--name", "far", "--keys", str(far), "-vv")
            with process(near, [], *joined, cwd=far) as worker:
                wait_for((slow / "begun").exists, "the parser did not begin")
                os.killpg(worker.pid, signal.SIGKILL)
                worker.wait(SECONDS)
            assert places_of(SECRETS, [far]), "a worker that is killed leaves what its parser wrote"
            (slow / "go").touch()
            with process(near, said, *joined, cwd=far):
                wait_for(lambda: running.poll() is not None, "the run did not end")
        assert near("stop", expect=[0]).code == 0
    said += look(near, folder)
    roots = [near.home.parent, far]
    assert near.table("slow").num_rows == len(SECRETS)
    assert places_of(["people"], roots, said), "what is there must be found"
    assert places_of(SECRETS, roots, said) == []
    told = [text for text in said if "_cf_source_hash" not in text]
    assert places_of(MAILS[1:], roots, told) == []
