"""Runs one target under atheris, in a process of its own with a limit of memory, and tells what it found."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .target import load_target

ROOT = Path(__file__).parents[2]
MISSING = "atheris is not installed: it comes with the dev extra where there is a wheel of it (Linux on x86-64)"
INPUT_SECONDS = 60
"""No input takes a second; a machine that is busy with other things may."""
MEMORY_MB = 2048
LARGEST_INPUT = 1 << 15
_TRIED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to. `broken` are the files, one for each input that broke the law."""

    tried: int
    broken: list[Path]
    said: str


def is_there() -> bool:
    """Whether the fuzzer is installed."""
    return importlib.util.find_spec("atheris") is not None


def search(
    name: str,
    *,
    seconds: int,
    seed: int,
    crashes: Path,
    corpus: Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> Found:
    """Search for so long for bytes that break the target's law, slow or large ones too, and put them into `crashes`.

    `corpus` keeps what was found to be interesting for the next time. `tell` hears every line of the fuzzer.
    """
    crashes.mkdir(parents=True, exist_ok=True)
    before = set(crashes.iterdir())
    with tempfile.TemporaryDirectory(prefix="casparian-fuzz-") as folder:
        known = corpus or Path(folder) / "corpus"
        known.mkdir(parents=True, exist_ok=True)
        for number, data in enumerate(load_target(name).seeds()):
            (known / f"seed-{number:03}").write_bytes(data)
        scratch = Path(folder) / "scratch"
        scratch.mkdir()
        options = [
            f"-max_total_time={seconds}",
            f"-seed={seed}",
            f"-timeout={INPUT_SECONDS}",
            f"-report_slow_units={INPUT_SECONDS}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-max_len={LARGEST_INPUT}",
            f"-artifact_prefix={crashes}/",
            "-print_final_stats=1",
        ]
        process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.under_atheris", name, *options, str(known)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}:{ROOT}", "TMPDIR": str(scratch)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        said = []
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                said.append(line)
                if tell is not None:
                    tell(line.rstrip("\n"))
        code = process.wait()
    broken = sorted(set(crashes.iterdir()) - before)
    whole = "".join(said)
    tried = _TRIED.search(whole)
    if code and not broken:
        raise RuntimeError(f"the fuzzer ended with {code} and left no input behind\n{whole[-4000:]}")
    return Found(tried=int(tried[1]) if tried else 0, broken=broken, said=whole[-8000:])
