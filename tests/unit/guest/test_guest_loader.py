"""Every form in which a parser may be written runs, and gives its items as early as they are there."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.guest.loader import load
from casparian_flow.guest.problems import BadYield, NotAParser
from casparian_flow.guest.sources import import_parser
from casparian_flow.sdk import Context, Rows

CONTEXT = Context("blake3:11", 7, {"delimiter": ";"})


@pytest.fixture(autouse=True)
def _clean_imports() -> Iterator[None]:
    modules, path, hooks = set(sys.modules), list(sys.path), list(sys.path_hooks)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    sys.path[:], sys.path_hooks[:] = path, hooks


def items_of(path: Path, files: tuple[str, ...] = ("a.dat",), config: dict[str, Any] | None = None) -> list[Any]:
    entry = load(import_parser(path), "sample", config or {})
    found: list[Any] = []
    for file in files:
        entry(Path(file), CONTEXT, found.append)
    return found


def write(folder: Path, source: str, name: str = "sample.py") -> Path:
    path = folder / name
    path.write_text("from casparian_flow.sdk import *\n" + textwrap.dedent(source))
    return path


@pytest.mark.parametrize(
    "source",
    [
        "def parse(path): yield 'x', [{}]",
        "class Handler(BasePlugin):\n    def execute(self, path): yield 'x', [{}]",
    ],
)
def test_a_parser_of_spans_has_to_take_its_context(tmp_path: Path, source: str) -> None:
    with pytest.raises(NotAParser, match="is not told which spans to read"):
        items_of(write(tmp_path, f'MANIFEST = PluginMetadata(rereads="spans")\n{source}'))


@pytest.mark.parametrize(
    "source",
    [
        "def parse(path): yield 'x', [{'p': path.name}]",
        "def parse(path): return 'x', [{'p': path.name}]",
        "def parse(path): return [('x', [{'p': path.name}])]",
        "def parse(path, context): yield 'x', [{'p': path.name}]",
        "parse = lambda path: iter([('x', [{'p': path.name}])])",
        "class Handler(BasePlugin):\n    def execute(self, path): self.publish('x', [{'p': path.name}])",
        "class Handler(BasePlugin):\n    def execute(self, path): yield 'x', [{'p': path.name}]",
        "class Handler(BasePlugin):\n    def execute(self, path): return 'x', [{'p': path.name}]",
        "class Handler(BasePlugin):\n    def consume(self, event): yield 'x', [{'p': event.path.name}]",
        "class Handler(BasePlugin):\n    def __init__(self): pass\n"
        "    def execute(self, path): self.publish('x', [{'p': path.name}])",
        "class Handler:\n    def execute(self, path, context): yield 'x', [{'p': path.name}]",
    ],
)
def test_every_form_gives_the_same_items(tmp_path: Path, source: str) -> None:
    assert items_of(write(tmp_path, source)) == [("x", [{"p": "a.dat"}])]


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("def parse(path): return [{'a': 1}]", "sample"),
        ("MANIFEST = PluginMetadata(topic='sales')\ndef parse(path): yield [{'a': 1}]", "sales"),
        ("MANIFEST = PluginMetadata(outputs={'o': [Column('a')]})\ndef parse(path): return {'a': 1}", "o"),
    ],
)
def test_data_without_an_output_goes_to_the_topic_the_only_output_or_the_parsers_name(
    tmp_path: Path, source: str, output: str
) -> None:
    [(found, _)] = items_of(write(tmp_path, source))
    assert found == output


def test_what_is_published_and_yielded_keeps_its_order_and_is_not_held_back(tmp_path: Path) -> None:
    source = """
    class Handler(BasePlugin):
        def execute(self, path):
            self.publish("x", 1)
            yield "x", 2
            self.publish("x", 3)
            assert not self._published
    """
    assert [item[1] for item in items_of(write(tmp_path, source))] == [1, 2, 3]


def test_configure_is_called_once_with_the_options(tmp_path: Path) -> None:
    method = """
    class Handler(BasePlugin):
        calls = []
        def configure(self, ctx, config): self.calls.append(config)
        def execute(self, path): yield "x", list(self.calls)
    """
    function = """
    calls = []
    def configure(ctx, config): calls.append(config)
    def parse(path): yield "x", list(calls)
    """
    for source in (method, function):
        items = items_of(write(tmp_path, source), ("a", "b"), {"k": 1})
        assert items == [("x", [{"k": 1}])] * 2


def test_the_context_carries_hash_version_and_options(tmp_path: Path) -> None:
    path = write(tmp_path, "def parse(path, context): yield Rows('x', [{'c': context}])")
    [rows] = items_of(path)
    assert isinstance(rows, Rows)
    assert rows.data == [{"c": CONTEXT}]


def test_a_folder_is_a_parser_whose_modules_import_each_other(tmp_path: Path) -> None:
    folder = tmp_path / "evtx"
    (folder / "inner").mkdir(parents=True)
    (folder / "parser.py").write_text("from engine import VALUE\ndef parse(path): yield 'x', VALUE\n")
    (folder / "engine.py").write_text("from inner.deep import VALUE\n")
    (folder / "inner" / "deep.py").write_text("VALUE = [{'a': 1}]\n")
    assert items_of(folder) == [("x", [{"a": 1}])]
    assert not list(folder.rglob("__pycache__"))


def test_compiled_files_beside_the_sources_never_run(tmp_path: Path) -> None:
    import py_compile

    folder = tmp_path / "evtx"
    folder.mkdir()
    (folder / "parser.py").write_text("import engine\ndef parse(path): yield 'x', [{'a': engine.VALUE}]\n")
    (folder / "engine.py").write_text("VALUE = 'forged'\n")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(folder / "engine.py"), invalidation_mode=mode)
    (folder / "engine.py").write_text("VALUE = 'honest'\n")
    assert items_of(folder) == [("x", [{"a": "honest"}])]


def test_a_single_file_cannot_import_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "neighbour.py").write_text("")
    path = write(tmp_path, "import neighbour\ndef parse(path): ...")
    with pytest.raises(ModuleNotFoundError):
        load(import_parser(path), "sample", {})


@pytest.mark.parametrize("source", ["x = 1", "class Handler(BasePlugin): pass"])
def test_a_file_without_an_entry_point_is_not_a_parser(tmp_path: Path, source: str) -> None:
    with pytest.raises(NotAParser):
        load(import_parser(write(tmp_path, source)), "sample", {})


def test_returning_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadYield):
        items_of(write(tmp_path, "def parse(path): return 42"))
