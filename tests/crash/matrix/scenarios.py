"""What is run while the disk goes wrong: each scenario prepares a world and asks for one command in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from casparian_flow.sentinel.queue.pace import GROUP_FILES

from .disk import Fault

SCHEMES = ("parquet", "csv", "duckdb", "sqlite")
LARGE_ROWS = 4000
KEPT_BYTES = 32 << 10
"""What a job keeps in memory in these worlds, so that a file of so many rows is a large one."""
MORE_THAN_A_GROUP = GROUP_FILES + 1
"""So many files are two groups, and two permits."""
Step = tuple[Sequence[str], Fault | None]


@dataclass(frozen=True, slots=True)
class World:
    """A home, files and a target below one folder."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def uri(self, scheme: str) -> str:
        """The target."""
        return f"{scheme}://{self.out}" if scheme in ("parquet", "csv") else f"{scheme}://{self.out / 'db'}"

    def add_files(self, first: int, count: int) -> None:
        """Files with one row that fits and one that does not."""
        self.data.mkdir(exist_ok=True)
        for at in range(first, first + count):
            (self.data / f"sales_{at:03}.csv").write_text(f"id,amount\n{at},1.5\n{at}0,oops,1\n")

    def add_large_file(self, at: int) -> None:
        """A file that is too large to be kept in memory until its end."""
        rows = [f"{number},{number}.5" for number in range(LARGE_ROWS)]
        (self.data / f"sales_9{at:02}.csv").write_text("\n".join(["id,amount", *rows, "", "1,2,3"]) + "\n")


@dataclass(frozen=True, slots=True)
class Scenario:
    """`before` says what happened to the world already; `next_is_served` that a service makes the run after a fault."""

    scheme: str
    before: str
    files: int = 2
    large: int = 0
    options: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0, 3)
    next_is_served: bool = False

    def arguments(self, world: World) -> list[str]:
        """The command."""
        if self.before == "three runs":
            return ["output", "compact", "sales", "--sink", world.uri(self.scheme)]
        return ["run", str(world.data), "--sink", world.uri(self.scheme), "--workers", "1", *self.options]

    def prepare(self, world: World) -> Iterator[Step]:
        """What is run before, and how that ends."""
        append = ["run", str(world.data), "--sink", world.uri(self.scheme), "--workers", "1"]
        if self.before == "nothing":
            world.add_files(0, self.files)
            return
        world.add_files(0, 1)
        yield append, None
        world.add_files(1, self.files)
        for at in range(self.large):
            world.add_large_file(at)
        if self.before == "three runs":
            yield append, None
            world.add_files(10, 1)
            yield append, None
        if self.before == "a permit":
            yield append, Fault("state log: write (record)", 1, "kill", 0)
        if self.before == "a seal":
            yield append, Fault("state log: write (permit)", 1, "kill", 0)


def _scenarios() -> dict[str, Scenario]:
    found = {}
    for scheme in SCHEMES:
        found[f"first run into {scheme}"] = Scenario(scheme, "nothing")
        found[f"run into {scheme}"] = Scenario(scheme, "a run")
        found[f"refusal by {scheme}"] = Scenario(scheme, "a run", options=("--tolerance", "0.1"), codes=(0, 1, 3))
        if scheme == "csv":  # what is not about its files is as in the other folder
            continue
        found[f"replacement in {scheme}"] = Scenario(scheme, "a run", options=("--mode", "replace"))
        found[f"start after a permit for {scheme}"] = Scenario(scheme, "a permit")
        found[f"start after a seal for {scheme}"] = Scenario(scheme, "a seal")
    found["run into parquet, then a service"] = Scenario("parquet", "a run", next_is_served=True)
    found["start after a permit for sqlite, then a service"] = Scenario("sqlite", "a permit", next_is_served=True)
    found["group of files into parquet"] = Scenario("parquet", "a run", files=MORE_THAN_A_GROUP)
    found["group of files into sqlite"] = Scenario("sqlite", "a run", files=MORE_THAN_A_GROUP)
    found["large files into parquet"] = Scenario("parquet", "a run", large=2)
    found["large files into duckdb"] = Scenario("duckdb", "a run", large=2)
    found["merging of files in parquet"] = Scenario("parquet", "three runs")
    return found


SCENARIOS = _scenarios()
