from pathlib import Path

import pytest

from delimited_cases import CASES, case_lines


@pytest.mark.parametrize("case", sorted(CASES.iterdir()), ids=lambda case: case.name)
def test_case_yields_what_it_expects(case: Path) -> None:
    assert case_lines(next(case.glob("input.*"))) == (case / "expected.jsonl").read_text("utf-8").splitlines()
