"""Manifests are read from the syntax tree; what cannot be read names its line."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from casparian_flow.core.contracts import ContractColumn
from casparian_flow.core.errors import ParserInvalid
from casparian_flow.publish.manifest import Manifest, read_manifest
from casparian_flow.publish.syntax import EntryForm

PARSE = "\ndef parse(path):\n    return None\n"


def read(folder: Path, source: str, name: str = "sample.py") -> Manifest:
    path = folder / name
    path.write_text(textwrap.dedent(source))
    return read_manifest(path)


def test_every_field_is_read(tmp_path: Path) -> None:
    manifest = read(
        tmp_path,
        """
        from casparian_flow.sdk import Column, PluginMetadata

        MANIFEST = PluginMetadata(
            pattern=["*.csv", "*.tsv"],
            topic="sales",
            priority=10,
            subscriptions=("csv",),
            outputs={
                "sales": [
                    Column("at", "timestamp", format="%Y"),
                    Column(name="amount", type="decimal(10, 2)", nullable=False, sensitivity="personal"),
                ],
            },
            version="1.2",
            content=["delimited"],
            requires=["polars"],
            options={"delimiter": None, "limit": -1},
        )

        def parse(path):
            raise RuntimeError("never run")

        raise RuntimeError("never run")
        """,
    )
    assert manifest.name == "sample"
    assert manifest.pattern == ("*.csv", "*.tsv")
    assert (manifest.topic, manifest.priority, manifest.subscriptions) == ("sales", 10, ("csv",))
    assert manifest.outputs == {
        "sales": (
            ContractColumn("at", "timestamp", format="%Y"),
            ContractColumn("amount", "decimal(10,2)", nullable=False, sensitivity="personal"),
        )
    }
    assert (manifest.version, manifest.content, manifest.requires) == ("1.2", ("delimited",), ("polars",))
    assert manifest.options == {"delimiter": None, "limit": -1}


def test_one_pattern_may_be_plain_text_and_the_call_may_be_annotated(tmp_path: Path) -> None:
    source = "import casparian_flow.sdk as sdk\nMANIFEST: sdk.PluginMetadata = sdk.PluginMetadata('*.log')" + PARSE
    assert read(tmp_path, source).pattern == ("*.log",)


def test_the_older_comments_are_read_and_texts_that_look_like_them_are_not(tmp_path: Path) -> None:
    source = 'TEXT = """\n# TOPIC: wrong\n"""\n# PATTERN: *.csv, *.txt\n# TOPIC: sales\n' + PARSE
    manifest = read(tmp_path, source)
    assert (manifest.pattern, manifest.topic) == (("*.csv", "*.txt"), "sales")


def test_a_parser_needs_no_manifest(tmp_path: Path) -> None:
    manifest = read(tmp_path, PARSE)
    assert (manifest.pattern, manifest.topic, manifest.outputs) == ((), None, {})


def test_a_folder_is_named_after_itself(tmp_path: Path) -> None:
    folder = tmp_path / "evtx"
    folder.mkdir()
    (folder / "parser.py").write_text(PARSE)
    assert read_manifest(folder).name == "evtx"


@pytest.mark.parametrize(
    ("source", "form"),
    [
        ("def parse(path): ...", EntryForm.PARSE),
        ("from engine import parse", EntryForm.PARSE),
        ("parse = print", EntryForm.PARSE),
        ("class Handler(BasePlugin):\n    def execute(self, path): ...", EntryForm.EXECUTE),
        ("class Handler(BasePlugin):\n    def consume(self, event): ...", EntryForm.CONSUME),
        (
            "class Base(BasePlugin):\n    def execute(self, path): ...\nclass Handler(Base):\n    pass",
            EntryForm.EXECUTE,
        ),
        ("from engine import Base\nclass Handler(Base):\n    pass", EntryForm.EXECUTE),
        ("def parse(path): ...\nclass Handler(BasePlugin):\n    def consume(self, e): ...", EntryForm.CONSUME),
    ],
)
def test_every_entry_form_is_found(tmp_path: Path, source: str, form: EntryForm) -> None:
    assert read(tmp_path, source).entry is form


@pytest.mark.parametrize(
    ("manifest", "line", "message"),
    [
        ("PluginMetadata(pattern=PATTERN)", 2, "cannot be read without running"),
        ("PluginMetadata(\n    topic=f'{x}')", 3, "cannot be read without running"),
        ("PluginMetadata(\n    patern='*.csv')", 3, "has no `patern`"),
        ("PluginMetadata(**settings)", 2, "`**`"),
        ("PluginMetadata(*settings)", 2, "`*`"),
        ("PluginMetadata('*.csv',\n    pattern='*.tsv')", 3, "given twice"),
        ("build()", 2, "not a literal call"),
        ("PluginMetadata(priority='high')", 2, "`priority` must be a whole number"),
        ("PluginMetadata(priority=True)", 2, "`priority`"),
        ("PluginMetadata(content=['csv'])", 2, "`content` must be a list of delimited"),
        ("PluginMetadata(tables='many')", 2, "'topic' or 'file'"),
        ("PluginMetadata(requires='polars')", 2, "`requires`"),
        ("PluginMetadata(options={1: 2})", 2, "`options`"),
        ("PluginMetadata(outputs=[Column('a')])", 2, "`outputs` must be a dict"),
        ("PluginMetadata(outputs={'x': columns()})", 2, "must be a list of Column"),
        ("PluginMetadata(outputs={\n  'x': [Column('a'),\n  Column('a')]})", 4, "declared twice"),
        ("PluginMetadata(outputs={'x': [],\n  'X': []})", 3, "declared twice"),
        ("PluginMetadata(outputs={\n  '日本': []})", 3, "cannot name a table"),
        ("PluginMetadata(outputs={'x': ['a']})", 2, "expected Column"),
        ("PluginMetadata(outputs={'x': [Column()]})", 2, "needs a name"),
        ("PluginMetadata(outputs={'x': [\n  Column('a', 'number')]})", 3, "unknown type 'number'"),
        ("PluginMetadata(outputs={'x': [Column('a', sensitivity='high')]})", 2, "one of public"),
        ("PluginMetadata(outputs={'x': [\n  Column('_CF_job_id')]})", 3, "reserved"),
        ("PluginMetadata(outputs={'_cf_x': []})", 2, "reserved"),
        ("PluginMetadata(outputs={'': []})", 2, "empty name"),
        ("PluginMetadata(outputs={**others})", 2, "output's name"),
    ],
)
def test_what_cannot_be_read_names_its_line(tmp_path: Path, manifest: str, line: int, message: str) -> None:
    with pytest.raises(ParserInvalid) as caught:
        read(tmp_path, f"\nMANIFEST = {manifest}{PARSE}")
    assert message in caught.value.message
    assert caught.value.where == f"{tmp_path / 'sample.py'}:{line}"


def test_a_misspelt_field_is_met_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(ParserInvalid) as caught:
        read(tmp_path, "MANIFEST = PluginMetadata(patern='*.csv')" + PARSE)
    assert caught.value.fix == "did you mean `pattern`?"


def test_an_output_without_a_name_is_the_files_own_table(tmp_path: Path) -> None:
    source = "MANIFEST = PluginMetadata(tables='file', outputs={'': [Column('a')]})" + PARSE
    assert list(read(tmp_path, source).outputs) == [""]


@pytest.mark.parametrize(
    "source",
    [
        "x = 1",
        "class Handler(BasePlugin):\n    pass",
        "async def parse(path): ...",
        "def parse(path:\n",
        "def parse(path): ...\n\x00",
        "(" * 5_000,
    ],
    ids=["nothing", "empty handler", "asynchronous", "syntax", "null byte", "too deep"],
)
def test_what_is_no_parser_is_invalid(tmp_path: Path, source: str) -> None:
    with pytest.raises(ParserInvalid):
        read(tmp_path, source)


def test_a_missing_file_is_invalid(tmp_path: Path) -> None:
    with pytest.raises(ParserInvalid, match="cannot read"):
        read_manifest(tmp_path / "gone.py")


def test_an_odd_escape_in_the_source_is_no_reason_to_refuse(tmp_path: Path) -> None:
    assert read(tmp_path, "PATTERN = '\\d'" + PARSE).entry is EntryForm.PARSE


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("-" * 1500 + "1", id="nested"),
        pytest.param("a" + ".b" * 900, id="a long way"),
        pytest.param("0x" + "f" * 9000, id="a long number"),
        pytest.param("'\\ud800'", id="half a character"),
        pytest.param("[['\\udfff']]", id="half a character inside"),
    ],
)
@pytest.mark.parametrize("field", ["topic", "priority", "options", "outputs"])
def test_no_literal_is_too_strange_to_be_refused_with_its_line(tmp_path: Path, field: str, value: str) -> None:
    with pytest.raises(ParserInvalid) as caught:
        read(tmp_path, f"\nMANIFEST = PluginMetadata({field}={value})" + PARSE)
    assert caught.value.where.endswith("sample.py:2")
    assert len(caught.value.message.encode()) < 300


def test_a_priority_that_no_database_holds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParserInvalid, match="63 bits"):
        read(tmp_path, f"MANIFEST = PluginMetadata(priority={2**63})" + PARSE)


def test_a_comment_in_another_encoding_is_refused_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "sample.py"
    path.write_bytes(b"# TOPIC: s\xffales" + PARSE.encode())
    with pytest.raises(ParserInvalid, match="not valid Python"):
        read_manifest(path)
