"""`casparian explain`: the long form of a code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from casparian_flow.clients.cli.face import Face, pass_face
from casparian_flow.clients.cli.render import Column, plain

if TYPE_CHECKING:
    from casparian_flow.operations.home.explain import Explanation

COLUMNS = (Column("code"), Column("kind"), Column("meaning"))


@click.command("explain")
@click.argument("code", required=False)
@pass_face
def command(face: Face, code: str | None) -> None:
    """What an error, a reason or a rejection code means, what causes it, what to do; without CODE, all of them."""
    from casparian_flow.operations.home.explain import CodeEntry, Explain, ListCodes

    if code is None:
        reply = face.ask("explain.list", ListCodes())
        face.show_list("casparian.codes/1", "codes", reply.codes, COLUMNS, CodeEntry)
        return
    explanation = face.ask("explain", Explain(code=code))
    face.show("casparian.explanation/1", explanation, _lines(explanation))


def _lines(reply: Explanation) -> Iterator[str]:
    yield f"{plain(reply.code)}: {reply.kind}"
    yield ""
    yield plain(reply.meaning)
    for title, lines in (("Usual causes", reply.causes), ("What to do", reply.steps)):
        yield ""
        yield f"{title}:"
        yield from (f"  {plain(line)}" for line in lines)
    yield ""
    if reply.can_retry is not None:
        yield f"Trying again: {'can help' if reply.can_retry else 'does not help by itself'}."
        yield f"Exit code: {reply.exit_code}."
    if reply.action is not None:
        yield "The file is read." if reply.action == "run" else "The file is not read."
