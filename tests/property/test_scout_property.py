"""Whatever happens to a folder, a scan and a reading later the home knows exactly what is in it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from casparian_flow.core.hashing import digest_of
from casparian_flow.store.database import Database
from scout_builders import Scouted

NAMES = ["a", "a-b", "a/b", "a/b/c", "d", "d/e", "d.x", "d-wal", "d/e-journal"]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(NAMES), st.binary(max_size=3)),
        st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just(b"")),
        st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from([name.encode() for name in NAMES])),
        st.tuples(st.just("scan"), st.just(""), st.just(b"")),
        st.tuples(st.just("tag"), st.just(""), st.just(b"")),
    ),
    max_size=14,
)


def perform(root: Path, scouted: Scouted, step: tuple[str, str, bytes]) -> None:
    action, name, data = step
    path = root / name
    try:
        if action == "write":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        elif action == "remove" and path.is_dir():
            shutil.rmtree(path)
        elif action == "remove":
            path.unlink()
        elif action == "rename":
            path.rename(root / data.decode())
    except OSError:
        return  # not possible in this state, which is a step too
    if action == "scan":
        scouted.scan()
    elif action == "tag":
        scouted.tag()


@settings(max_examples=40, deadline=None)
@given(STEPS)
def test_the_home_knows_what_is_there(steps: list[tuple[str, str, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "evidence"
        root.mkdir()
        (Path(name) / "home").mkdir()
        database = Database(Path(name) / "home" / "state.sqlite3")
        try:
            scouted = Scouted(database, root)
            for step in steps:
                perform(root, scouted, step)
            scouted.scan_and_tag()
            there = {
                str(path.relative_to(root)).encode(): digest_of(path.read_bytes())
                for path in root.rglob("*")
                if path.is_file()
            }
            rows = scouted.files()
            present = {path: row.source_hash for path, row in rows.items() if not row.is_missing}
            assert present == there
            assert not any(row.is_dirty for row in rows.values() if not row.is_missing)
            again = scouted.scan()
            assert (again.new, again.changed, again.missing, again.returned) == (0, 0, 0, 0)
            assert scouted.tag().read == 0
        finally:
            database.close()
