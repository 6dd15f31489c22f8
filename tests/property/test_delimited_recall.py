"""How much of randomly made and randomly damaged tables is read back, and how much is wrong."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Callable
from pathlib import Path

from delimited_support import read_delimited

WORDS = [
    "alpha",
    "gamma delta",
    "o'neil",
    "Zürich",
    "x-y",
    "100%",
    "N/A",
    "a/b/c",
    "#5",
    "1st",
    "C:\\dir\\f",
    "12 Main St",
]
MAKERS: dict[str, Callable[[random.Random], str]] = {
    "int": lambda p: str(p.randint(0, 10 ** p.randint(1, 7))),
    "comma": lambda p: f"{p.random() * 1000:.2f}".replace(".", ","),
    "text": lambda p: p.choice(WORDS),
    "date": lambda p: f"{p.randint(1, 28)}/{p.randint(1, 12)}/{p.randint(1990, 2030)}",
    "mixed": lambda p: p.choice(["", "7", "x", "a, b", "c; d", 'q "z" q', "t\tb", "p|q"]),
    "empty": lambda p: "" if p.random() < 0.8 else "v",
    "long": lambda p: " ".join(p.choices(WORDS, k=9)) + p.choice([".", ", so on", "\nnew line, here"]),
    "time": lambda p: f"2024-05-05 {p.randint(0, 23):02d}:{p.randint(0, 59):02d}:00",
    "url": lambda p: f"https://ex.org/a/{p.randint(1, 99)}?x=1&y={p.randint(1, 9)}",
    "json": lambda p: f'{{"a": {p.randint(1, 9)}, "b": "x;y"}}',
}


def make(seed: int) -> tuple[bytes, list[list[str]]]:
    """A file, and its rows that are not damaged."""
    pick = random.Random(seed)
    kinds = ["int", *pick.choices(list(MAKERS), k=pick.randint(2, 9))]
    delimiter, quoting = pick.choice(",;\t|"), pick.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    end = pick.choice(["\n", "\r\n", "\r"])

    def line(row: list[str]) -> str:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, quoting=quoting).writerow(row)
        return out.getvalue()[:-2]

    lines = ["Report on things", ""] if pick.random() < 0.3 else []
    lines.append(line([f"the {kind} {i}" for i, kind in enumerate(kinds)]))
    good = []
    for _ in range(pick.choice([5, 20, 80, 200])):
        row = [MAKERS[kind](pick) for kind in kinds]
        text = line(row)
        damage = pick.choice(["more", "less", "stray"]) if pick.random() < 0.05 else ""
        if damage == "more":
            text += delimiter + "zz"
        elif damage == "less":
            text = line(row[:-1])
        elif damage == "stray":
            text = '"x' + text
        else:
            good.append(row)
        lines.append(text)
    return (end.join(lines) + end).encode(pick.choice(["utf-8", "utf-16", "cp1252"])), good


def test_nearly_every_sound_row_is_read_and_nearly_none_is_made_up(tmp_path: Path) -> None:
    wanted = read = made_up = 0
    path = tmp_path / "x.csv"
    for seed in range(120):
        data, good = make(seed)
        path.write_bytes(data)
        rows = {tuple(cell or "" for cell in row) for row in read_delimited(path).rows}
        sound = {tuple(row) for row in good}
        wanted += len(sound)
        read += len(sound & rows)
        made_up += len(rows - sound)
    assert read >= 0.999 * wanted
    assert made_up <= 0.001 * wanted
