"""Demo: a folder of messy files, and the commands that show what the product makes of them."""

from __future__ import annotations

from casparian_flow.lab.corpora import DemoKind
from casparian_flow.operations.home.demo_journeys import Step
from casparian_flow.operations.registry import Effect, Operation, Reply, Request


class MakeDemo(Request, frozen=True, kw_only=True):
    """The folder to make it in, a new one or one that is empty, and what its files are like."""

    folder: str
    kind: DemoKind = DemoKind.MIXED


class DemoMade(Reply, frozen=True, kw_only=True):
    """What was made. The steps are to be taken in order, in the folder; `init` makes its home there."""

    folder: str
    steps: list[Step]


OPERATIONS = (
    Operation(
        "demo", MakeDemo, DemoMade, Effect.EXECUTE, "home.demo.demo", "Make a folder of messy files.", is_local=True
    ),
)
