from pathlib import Path

import pytest

from delimited_corpus import Polluted, corpus
from delimited_support import read_delimited


@pytest.mark.parametrize("case", corpus(), ids=lambda case: case.name)
def test_polluted_file_is_read_as_a_careful_person_would(case: Polluted, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(case.data)
    outcome = read_delimited(path)
    tables = {
        output: (None if table.headerless else table.names, [[cell or "" for cell in row] for row in table.rows])
        for output, table in outcome.tables.items()
    }
    assert tables == case.tables
    if case.rejected is not None:
        assert len(outcome.rejected) == case.rejected
    covered = sorted(outcome.spans)
    assert [span[0] for span in covered] == [0, *(span[1] for span in covered[:-1])][: len(covered)]
    assert (covered[-1][1] if covered else 0) == len(case.data)
