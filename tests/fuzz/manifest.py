"""The manifest of a parser: source code of strangers, read and never run."""

from __future__ import annotations

from casparian_flow.core.contracts import Contract
from casparian_flow.core.errors import ParserInvalid
from casparian_flow.core.hashing import digest_of_json
from casparian_flow.publish.check import check_parser
from casparian_flow.publish.discover import SHIPPED_FOLDER
from casparian_flow.publish.manifest import Manifest, read_manifest

from .target import Target, scratch

_PLACE = scratch()
MAX_BYTES = 1 << 15


def check(data: bytes) -> None:
    """ParserInvalid that says where, or a manifest that can be kept; the report about it never fails."""
    path = _PLACE / "fuzzed.py"
    path.write_bytes(data[:MAX_BYTES])
    report = check_parser(path)
    try:
        manifest = read_manifest(path)
    except ParserInvalid as error:
        assert error.where.startswith(str(path))
        assert report.error is not None
        return
    assert report.manifest == manifest
    assert_can_be_kept(manifest)


def assert_can_be_kept(manifest: Manifest) -> None:
    """What the store, the orders and the contracts do with it."""
    digest_of_json([manifest.name, manifest.topic, manifest.pattern, manifest.subscriptions, manifest.version])
    digest_of_json([manifest.requires, sorted(manifest.options)])
    assert -(2**63) <= manifest.priority < 2**63
    for output, columns in manifest.outputs.items():
        assert Contract(table=output, version=1, columns=columns).hash
        digest_of_json([[column.description, column.sensitivity] for column in columns])


def seeds() -> list[bytes]:
    """The shipped parsers, and one of each form that loads."""
    shipped = [file.read_bytes()[:MAX_BYTES] for file in sorted(SHIPPED_FOLDER.rglob("parser.py"))]
    whole = b"""\
from casparian_flow.sdk import BasePlugin, Column, PluginMetadata

MANIFEST = PluginMetadata(
    pattern=["*.csv"], topic="sales", priority=10, subscriptions=["csv"], version="1", tables="topic",
    outputs={"sales": [Column("at", "timestamp", format="%Y"), Column(name="n", type="decimal(10, 2)", nullable=False)],
             "more": (Column("l", "list<struct<a: int64>>", sensitivity="secret", description="d"),)},
    content=["delimited"], requires=["numpy"], options={"a": None, "b": [1, {"c": 2.5}], "d": -1},
)

class Handler(BasePlugin):
    def execute(self, path):
        self.publish("sales", {})
"""
    comments = b"# PATTERN: *.csv, *.txt\n# TOPIC: sales\ndef parse(path):\n    yield 'x', []\n"
    consumes = b"# -*- coding: latin-1 -*-\nclass Base:\n    def consume(self, event): ...\nclass Handler(Base): pass\n"
    return [whole, comments, consumes, *shipped]


TARGET = Target(
    law="only ParserInvalid is raised, naming the file; a manifest that is read can be kept; nothing is run",
    check=check,
    seeds=seeds,
)
