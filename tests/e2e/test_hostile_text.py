"""Hostile names, headings and cells stay inert wherever they are shown, and are kept as they are where they land."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from casparian_flow.clients.cli.root import run
from hostile_texts import TEXTS, loud_parts, write_evidence
from product import Product, ProductHere

NOISY = """
import sys
def parse(path):
    print({text!r}); print({text!r}, file=sys.stderr)
    yield "noisy", [{{"said": {text!r}}}]
"""
ANGRY = """
def parse(path):
    raise ValueError({text!r})
"""


@dataclass(frozen=True)
class Written:
    code: int
    out: bytes
    err: bytes


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_evidence(tmp_path_factory.mktemp("hostile") / "evidence")


@pytest.fixture(scope="module")
def filled(evidence: Path) -> Product:
    """A home into which all of it was read, tagged, and turned away."""
    folder, text = evidence.parent, "".join(TEXTS.values())
    product = Product(folder / "home")
    (folder / "noisy.py").write_text(NOISY.format(text=text), encoding="utf-8")
    (folder / "angry.py").write_text(ANGRY.format(text=text), encoding="utf-8")
    product("rules", "add", "*a*", "--tag", "odd", expect=[0])
    product.run(str(evidence))
    product.run(str(evidence / "words.log"), "--parser", str(folder / "noisy.py"))
    product.run(str(evidence / "words.log"), "--parser", str(folder / "angry.py"))
    return product


@pytest.fixture
def ask(filled: Product, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Written]:
    """A command line in this process, with the bytes that it writes."""

    def ask(*words: str) -> Written:
        streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace") for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        monkeypatch.setattr(sys, "stdin", None)
        code = run(["--home", str(filled.home), *words])
        for stream in streams:
            stream.flush()
        out, err = (stream.buffer.getvalue() for stream in streams)  # type: ignore[attr-defined]
        return Written(code, out, err)

    return ask


def questions(product: Product, evidence: Path) -> Iterator[list[str]]:
    """A command line for everything that shows text from files."""
    yield from (
        line.split()
        for line in (
            "status",
            "files --all",
            "files --problems",
            "jobs --all",
            "tags",
            "rules",
            "rules show 1",
            "source",
            "quarantine",
            "contract",
            "contract show headings",
            "contract show cells",
            "parser",
            "tables",
            "doctor",
            "tables headings",
            "config show",
        )
    )
    yield ["sql", "SELECT * FROM cells"]
    yield ["sql", "SELECT * FROM headings"]
    yield ["sql", "SELECT * FROM noisy"]
    yield ["sql", "SELECT * FROM cf_file_location"]
    yield ["sql", f'SELECT 1 AS "{TEXTS["link"].replace(chr(34), "")}"']
    for group in product("quarantine", "--json", expect=[0]).json["groups"]:
        yield ["quarantine", "show", group["group"]]
    for job in product("jobs", "--state", "failed", "--json", expect=[0]).json["jobs"]:
        yield ["jobs", "show", job["job"]]
    for job in product("jobs", "--file", "words.log", "--json", expect=[0]).json["jobs"]:
        yield ["jobs", "logs", job["job"]]
    for path in sorted(evidence.iterdir()):
        yield ["files", "show", str(path)]
    for name in ("cells.csv", "headings.csv", "refused.csv", "nul.csv"):
        for verb in ("inspect", "preview", "infer", "why", "trace", "plan"):
            yield [verb, str(evidence / name)]
        yield ["why", f"{evidence / name}:2"]
        yield ["trace", f"{evidence / name}:2"]
    for text in TEXTS.values():
        yield ["why", text]
        yield ["sql", f"SELECT * FROM {text}"]
    yield [TEXTS["link"]]


ASKED = [("table", 4), ("table", 1), ("plain", 1), ("json", 1), ("jsonl", 3), ("csv", 3), ("md", 3)]
"""Formats, and every how many-th question is asked in each; formats of one kind share what makes a text harmless."""


@pytest.mark.parametrize(
    ("format_", "step"),
    [ASKED[0], *(pytest.param(*asked, marks=pytest.mark.slow) for asked in ASKED[1:])],
)
def test_no_command_writes_what_could_act_on_a_terminal(
    filled: Product, evidence: Path, ask: Callable[..., Written], format_: str, step: int
) -> None:
    loud = {}
    for words in list(questions(filled, evidence))[step - 1 :: step]:
        written = ask(*words, "-f", format_, "--color", "always")
        assert b"Traceback" not in written.err, words
        assert written.code in (0, 1, 2, 3, 4, 5), (words, written.err)
        if found := loud_parts(written.out, colors=True) + loud_parts(written.err, colors=True):
            loud[tuple(words)] = found
    assert loud == {}


def test_json_holds_the_texts_themselves(ask: Callable[..., Written]) -> None:
    rows = json.loads(ask("sql", "SELECT kind, text FROM cells", "--json").out)["rows"]
    assert {row["kind"]: row["text"] for row in rows} == TEXTS


def test_markup_is_shown_as_it_was_written(ask: Callable[..., Written]) -> None:
    shown = ask("sql", "SELECT text FROM cells WHERE kind = 'markup'", "-f", "plain").out.decode()
    assert shown.strip() == TEXTS["markup"]


def test_logs_are_lines_of_inert_json(filled: Product, evidence: Path) -> None:
    answer = filled("run", str(evidence), "--force", "-vv", expect=[0, 3])
    lines = [line for line in answer.err.splitlines() if line.startswith("{")]
    assert lines
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert loud_parts(answer.err.encode("utf-8", "surrogateescape")) == []


@pytest.mark.parametrize("kind", ["clear-screen", "link"])
def test_a_suggested_run_of_a_folder_with_such_a_name_is_inert(
    product_here: ProductHere, tmp_path: Path, kind: str
) -> None:
    folder = tmp_path / TEXTS[kind].replace("/", "")
    folder.mkdir()
    (folder / "a.csv").write_text("id;who\n1;x\n")
    product_here("run", str(folder), "--table", "people", cwd=tmp_path, expect=(0,))
    (folder / "b.csv").write_text("id;who\n2;y\n")
    for words in (["scan", str(folder)], ["status"]):
        said = product_here(*words, cwd=tmp_path, expect=(0,)).out
        assert "--table people" in said
        assert loud_parts(said.encode()) == []
