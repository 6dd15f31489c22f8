"""The command that reads what is new, for who only looks around: found without loading what plans runs."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from casparian_flow.core.artifacts import ParserOrigin
from casparian_flow.core.keys import config_hash
from casparian_flow.core.outputs import SinkTarget
from casparian_flow.core.routes import Routes
from casparian_flow.operations.context import Acting, Reading
from casparian_flow.store import parsers as parser_store
from casparian_flow.store.engine import AnyRow
from casparian_flow.store.views import readings as view

RUN = "casparian run"
MOST_COMPARED = 5000
"""Files whose way of being read is compared."""


def next_run(connection: Connection, asker: Acting | Reading) -> str:
    """A run without further words, unless one of the files that were read first was read by other words.

    Then it is what `again.run_on` says: such a run would read that file again, for another table, sink or parser.
    """
    routes = Routes(default=(SinkTarget(asker.home.default_sink),)).to_json()
    plain = (config_hash({}, None), routes)
    for way in view.ways_in_force(connection, MOST_COMPARED):
        if (way.config_hash, way.routes) != plain or not _is_read_by_content(connection, way):
            from casparian_flow.operations.doing.run.again import run_on  # noqa: PLC0415 - 0.3 s

            return run_on(connection, asker)
    return RUN


def _is_read_by_content(connection: Connection, way: AnyRow) -> bool:
    """Whether nobody had to name the parser: a shipped one is chosen for its kind of content."""
    manifest = json.loads(parser_store.describe(connection, way.parser_id).manifest)
    return way.origin == ParserOrigin.SHIPPED and way.content in manifest["content"]
