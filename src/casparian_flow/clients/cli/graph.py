"""Draws the graph of a trace as a tree or as a Mermaid chart, all text made inert."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from casparian_flow.clients.cli.render import plain

if TYPE_CHECKING:
    from casparian_flow.operations.lineage.graph import TraceEdge, TraceNode
    from casparian_flow.operations.lineage.trace import Trace

WIDTH = 90
"""Characters of a line of facts."""
LONG = 40
"""Characters of a fact that gets a line of its own."""
_MARKUP = re.compile(r"[^\w ./:@,+-]")


def tree_lines(trace: Trace) -> Iterator[str]:
    """Every node once under what led to it; where it comes again it is only named."""
    nodes = {node.id: node for node in trace.nodes}
    below: dict[str, list[TraceEdge]] = defaultdict(list)
    for edge in trace.edges:
        below[edge.start].append(edge)
    shown: set[str] = set()

    def lines(node: TraceNode, says: str, first: str, rest: str) -> Iterator[str]:
        is_new = node.id not in shown
        shown.add(node.id)
        yield f"{first}{says}{node.kind} {plain(node.title)}" + ("" if is_new else " (above)")
        if not is_new:
            return
        edges = below[node.id]
        stem = rest + ("│ " if edges else "  ")
        yield from (stem + each for each in _facts(node))
        for at, edge in enumerate(edges):
            is_last = at == len(edges) - 1
            branch, onward = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
            yield from lines(nodes[edge.end], f"{plain(edge.says)} ", rest + branch, rest + onward)

    for root in trace.roots:
        yield from lines(nodes[root], "", "", "")


def _facts(node: TraceNode) -> Iterator[str]:
    """What is known of a node, a few facts a line; the values of a row have a line each."""
    line = ""
    long = []
    for name, value in node.facts.items():
        if value in (None, "", False, node.title) or isinstance(value, dict):
            continue
        text = f"{name} {plain(value)}"
        if len(text) > LONG:
            long.append(text)
            continue
        if line and len(line) + len(text) > WIDTH:
            yield line
            line = ""
        line = f"{line}, {text}" if line else text
    if line:
        yield line
    yield from long
    for values in node.facts.values():
        if isinstance(values, dict):
            yield from (f"{plain(name)} = {plain(value)}" for name, value in values.items() if value is not None)


def mermaid_lines(trace: Trace) -> Iterator[str]:
    """A chart that documents and tickets can show."""
    names = {node.id: f"n{at}" for at, node in enumerate(trace.nodes)}
    yield "flowchart LR"
    for node in trace.nodes:
        yield f'  {names[node.id]}["{_label(node.kind)}<br/>{_label(node.title)}"]'
    for edge in trace.edges:
        yield f'  {names[edge.start]} -->|"{_label(edge.says)}"| {names[edge.end]}'


def _label(text: str) -> str:
    """The text with everything that could be markup as a character reference."""
    return _MARKUP.sub(lambda found: f"#{ord(found[0])};", plain(text))
