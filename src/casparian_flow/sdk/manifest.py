"""The one manifest class: what a parser says about itself, read from the syntax tree and never by running it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from casparian_flow.sdk.columns import Column, Rule


@dataclass(frozen=True, slots=True)
class PluginMetadata:
    """The parser's manifest; written as a literal call, `MANIFEST = PluginMetadata(...)`.

    `pattern` (a glob or several), `topic`, `priority` and `subscriptions` wire the parser to files and tags: once it is
    approved it reads the files whose names fit, where no rule and no subscription to their tags says otherwise.
    `content` names the kinds of content it reads (`delimited jsonl json sqlite evtx syslog web_access
    web_error text`).
    `outputs` declares columns per output; they are contract v1 of their tables.
    `tables` says how outputs become tables: `topic` uses the output's own name, `file` names the table after the
    file: output `""` is the file's table itself, any other output `x` is `<table>__x`.
    `requires` are the distributions that the guest may import besides pyarrow.
    `options` are the options it understands, with their defaults; None means "detect".
    `shares_process` says that nothing which the parser keeps from one file (in its module, in a library)
    changes how it reads the next: then one process may read many small files, one after another. Else each file
    finds the parser as it was imported.
    `rereads` says what has to be read to see some records of a file again: `file`, all of it, or `spans`, their own
    bytes alone. Then a replay of a few rejected records gives the parser their places in `Context.spans`.
    `rules` say by output what its values have to keep, `drift` by output what happens where a file differs from the
    declared columns: the axes `new_column missing_column type nullability rule`, each with one of the modes
    `propose evolve freeze quarantine_row rescue_value`. Both need the output's columns.
    """

    pattern: str | Sequence[str] = ()
    topic: str | None = None
    priority: int = 50
    subscriptions: Sequence[str] = ()
    outputs: Mapping[str, Sequence[Column]] = field(default_factory=dict)
    version: str = "0"
    content: Sequence[str] = ()
    tables: str = "topic"
    requires: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    shares_process: bool = False
    rereads: str = "file"
    rules: Mapping[str, Sequence[Rule]] = field(default_factory=dict)
    drift: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
