"""Demo: a folder of messy files, and the commands that show what the product makes of them."""

from __future__ import annotations

from casparian_flow.core.errors import UsageError
from casparian_flow.lab.corpora import DemoKind, make_demo_corpus
from casparian_flow.lab.corpus import CORPUS
from casparian_flow.operations.demo_journeys import JOURNEY, JOURNEYS, Step
from casparian_flow.operations.local import Local
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class MakeDemo(Request, frozen=True, kw_only=True):
    """The folder to make it in, a new one or one that is empty, and what its files are like."""

    folder: str
    kind: DemoKind = DemoKind.MIXED


class DemoMade(Reply, frozen=True, kw_only=True):
    """What was made. The steps are to be taken in order, in the folder; `init` makes its home there."""

    folder: str
    steps: list[Step]


def demo(local: Local, request: MakeDemo) -> DemoMade:
    """Make the corpus; raises UsageError for a folder that has something in it."""
    folder = local.cwd / request.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UsageError("the folder is not empty", where=str(folder), fix="choose a new folder")
        make_demo_corpus(folder / CORPUS, request.kind)
    except OSError as exc:
        raise UsageError(
            "the demo cannot be made there",
            where=str(folder),
            why=exc.strerror or str(exc),
            fix="choose another folder",
        ) from exc
    return DemoMade(folder=str(folder.resolve()), steps=list(JOURNEYS.get(request.kind, JOURNEY)))


OPERATIONS = (
    Operation("demo", MakeDemo, DemoMade, Effect.EXECUTE, demo, "Make a folder of messy files.", is_local=True),
)
