"""How what `operations.home.demo` names is done."""

from __future__ import annotations

from casparian_flow.core.errors import UsageError
from casparian_flow.lab.corpora import make_demo_corpus
from casparian_flow.lab.corpus import CORPUS
from casparian_flow.operations.home.demo import DemoMade, MakeDemo
from casparian_flow.operations.home.demo_journeys import JOURNEY, JOURNEYS
from casparian_flow.operations.local import Local


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
