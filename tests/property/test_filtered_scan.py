"""A scan of a part never changes what is known of the rest."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.scout.chosen import Chosen
from casparian_flow.scout.reread import covered_files
from casparian_flow.store.database import Database
from casparian_flow.store.files import FileRow
from scout_builders import Scouted

NAMES = ["a.csv", "b.log", "d/a.csv", "d/e/c.csv", "d/e/x.log", "f/a.csv", "f.csv"]
TREES = st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=6), max_size=7)
CHOICES = st.builds(
    Chosen,
    patterns=st.lists(st.sampled_from(["*.csv", "d/**", "d/*/*.csv", "?.log", "**/a.csv"]), max_size=2).map(tuple),
    extensions=st.lists(st.sampled_from(["csv", ".LOG"]), max_size=1).map(tuple),
    least=st.integers(0, 4),
    most=st.integers(2, 6),
    depth=st.integers(0, 3),
)


@contextmanager
def scouted_folder() -> Iterator[tuple[Path, Scouted]]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "evidence"
        root.mkdir()
        (Path(name) / "home").mkdir()
        database = Database(Path(name) / "home" / "state.sqlite3")
        try:
            yield root, Scouted(database, root)
        finally:
            database.close()


def lay(root: Path, tree: dict[str, bytes]) -> None:
    shutil.rmtree(root)
    root.mkdir()
    for name, data in tree.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def known(scouted: Scouted) -> dict[bytes, FileRow]:
    return scouted.files()


@settings(max_examples=25, deadline=None)
@given(TREES, TREES, CHOICES)
def test_what_a_scan_does_not_cover_stays_as_it_is_known(
    before: dict[str, bytes], after: dict[str, bytes], chosen: Chosen
) -> None:
    with scouted_folder() as (root, scouted):
        lay(root, before)
        scouted.scan_and_tag()
        old = known(scouted)
        lay(root, after)
        scouted.scan(chosen=chosen)
        covered = covered_files(scouted.database, scouted.source.id, chosen)
        scouted.tag(selection=[file[0] for file in covered])
        new = known(scouted)
        for path in old.keys() | new.keys():
            sizes = [len(tree[path.decode()]) for tree in (before, after) if path.decode() in tree]
            if not any(chosen.covers(path, size) for size in sizes):
                assert old.get(path) == new.get(path), path
        for name, data in after.items():
            if chosen.covers(name.encode(), len(data)):
                assert new[name.encode()].size == len(data)
                assert not new[name.encode()].is_missing
        for name, data in before.items():
            if name not in after and chosen.covers(name.encode(), len(data)):
                assert new[name.encode()].is_missing


@settings(max_examples=8, deadline=None)
@given(TREES, TREES, CHOICES)
def test_a_whole_scan_after_it_finds_the_rest(
    before: dict[str, bytes], after: dict[str, bytes], chosen: Chosen
) -> None:
    with scouted_folder() as (root, scouted):
        lay(root, before)
        scouted.scan_and_tag()
        lay(root, after)
        scouted.scan(chosen=chosen)
        scouted.scan_and_tag()
        present = {path.decode() for path, row in known(scouted).items() if not row.is_missing}
        assert present == set(after)
