"""The Promela model of the commit protocol keeps its laws in every state, and each known-wrong variant breaks one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

MODEL = Path(__file__).parents[2] / "docs" / "explanation" / "commit-protocol.pml"
MUTANTS = sorted(set(re.findall(r"#ifdef (MUTANT_\w+)", MODEL.read_text())))
MISSING = [tool for tool in ("spin", "gcc") if shutil.which(tool) is None]
needs_spin = pytest.mark.skipif(bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: apt install spin gcc")


def explored(folder: Path, *defines: str) -> str:
    """What spin's verifier says after it has seen every state, or the first one that breaks a law."""
    shutil.copy(MODEL, folder)
    for command in (
        ["spin", *(f"-D{define}" for define in defines), "-a", MODEL.name],
        ["gcc", "-O2", "-w", "-DSAFETY", "-o", "pan", "pan.c"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    done = subprocess.run([folder / "pan", "-m1000000"], cwd=folder, capture_output=True, text=True, timeout=120)
    return done.stdout


def test_the_model_has_a_variant_for_each_wrong_protocol_that_was_once_proposed() -> None:
    assert {"MUTANT_PROMOTE_FIRST", "MUTANT_STALE_PERMIT", "MUTANT_REQUEUE_PERMITTED", "MUTANT_CANCEL_PERMITTED"} <= {
        *MUTANTS
    }


@needs_spin
def test_no_state_of_the_protocol_breaks_a_law(tmp_path: Path) -> None:
    said = explored(tmp_path)

    assert "errors: 0" in said, said
    assert "max search depth too small" not in said


@pytest.mark.slow
@needs_spin
@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_known_wrong_protocol_breaks_a_law(mutant: str, tmp_path: Path) -> None:
    said = explored(tmp_path, mutant)

    assert "errors: 1" in said, said
    assert "assertion violated" in said
