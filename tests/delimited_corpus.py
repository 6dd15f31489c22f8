"""Polluted delimited files with the tables that a careful person would read from them."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Table = tuple[list[str] | None, list[list[str]]]

NAMES = ["DATE", "TIME", "Qty", "PRODUCTID", "Price", "ProductType", "Description", "URL", "Comments"]
PRODUCTS = [
    "Men's Boots",
    "Throw Pillow, Wooden",
    'Table, Round 48"',
    "Kids' Mocs",
    "Fly Rod 8 Wt.",
    "Linen Shirt",
    "Wool Hat",
    "Tee, Short-Sleeve",
]


@dataclass(frozen=True)
class Polluted:
    """A file; the tables in it as text, empty cells as ''; and how many records are to be rejected (None: any)."""

    name: str
    data: bytes
    tables: dict[str, Table]
    rejected: int | None = 0


def make_rows(count: int = 60) -> list[list[str]]:
    pick = random.Random(1)
    rows = []
    for i in range(count):
        rows.append(
            [
                f"{pick.randint(1, 28):02d}/{pick.randint(1, 12):02d}/2018",
                f"{i % 24:02d}:{pick.choice(['00', '15', '30'])}",
                str(pick.randint(0, 20)),
                f"{pick.choice(['MG', 'RI', 'CC'])}-{pick.randint(1000, 9999)}",
                f"${pick.randint(1, 90)}.{pick.randint(10, 99)}",
                pick.choice(PRODUCTS),
                "Great grip; and extra breathability make these, well, ideal for warm conditions.",
                f"https://www.example.com/p/{i}.html",
                "",
            ]
        )
    return rows


ROWS = make_rows()
SMALL_NAMES = ["name", "size", "when"]
SMALL_ROWS = [[f"n{i}", str(i * 3), f"2020-01-{i % 28 + 1:02d}"] for i in range(25)]


def write(rows: list[list[str]], **dialect: Any) -> str:
    dialect.setdefault("lineterminator", "\n")
    out = io.StringIO()
    csv.writer(out, **dialect).writerows(rows)
    return out.getvalue()


def join(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


BASE = write([NAMES, *ROWS])
LINES = BASE.split("\n")[:-1]


def main(rows: list[list[str]] = ROWS, names: list[str] | None = NAMES) -> dict[str, Table]:
    return {"": (names, rows)} if rows else {}


def without(*numbers: int) -> list[list[str]]:
    return [row for i, row in enumerate(ROWS, 1) if i not in numbers]


def replaced(number: int, line: str) -> bytes:
    lines = list(LINES)
    lines[number] = line
    return join(lines)


def dialects() -> Iterator[Polluted]:
    for mark in (",", ";", "\t", "|", " ", "~", "^", ":", "\x01", "#", "!"):
        yield Polluted(f"delimiter {mark!r}", write([NAMES, *ROWS], delimiter=mark).encode(), main())
    for token in (", ", "||", "::", "; ", " | ", "<;>", "|~|", "~|~", "$$", "\t\t"):
        special = {*token, '"', "\n"}
        cells = [['"' + c.replace('"', '""') + '"' if special & set(c) else c for c in row] for row in [NAMES, *ROWS]]
        yield Polluted(f"delimiter {token!r}", join([token.join(row) for row in cells]), main())
    for quote in "\"'":
        for name, how in {
            "minimal": {},
            "all": {"quoting": csv.QUOTE_ALL},
            "not numbers": {"quoting": csv.QUOTE_NONNUMERIC},
            "escaped": {"doublequote": False, "escapechar": "\\"},
        }.items():
            yield Polluted(f"quote {quote} {name}", write([NAMES, *ROWS], quotechar=quote, **how).encode(), main())
    data = write([NAMES, *ROWS], quoting=csv.QUOTE_NONE, escapechar="\\").encode()
    yield Polluted("escape without quotes", data, main())


def line_ends() -> Iterator[Polluted]:
    for end in ("\n", "\r\n", "\r"):
        text = write([NAMES, *ROWS], lineterminator=end)
        yield Polluted(f"line end {end!r}", text.encode(), main())
        yield Polluted(f"line end {end!r}, none at last", text[: -len(end)].encode(), main())
        yield Polluted(f"line end {end!r}, blank lines around", (3 * end + text + 5 * end).encode(), main())
    pick = random.Random(3)
    mixed = "".join(line + pick.choice(["\n", "\r\n", "\r"]) for line in LINES)
    yield Polluted("line ends mixed", mixed.encode(), main())
    yield Polluted("one lone return", ("\n".join(LINES[:10]) + "\r" + "\n".join(LINES[10:])).encode(), main())
    yield Polluted("blank line after each", "\n\n".join(LINES).encode(), main())


def encodings() -> Iterator[Polluted]:
    rows = [[cell.replace("Boots", "Bötße €").replace("Hat", "Šapka ž") for cell in row] for row in ROWS]
    for name in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "utf-32"):
        yield Polluted(f"encoding {name}", write([NAMES, *rows]).encode(name), main(rows))
    marked = ("\ufeff" + write([NAMES, *rows])).encode("utf-16-be")
    yield Polluted("encoding utf-16-be with mark", marked, main(rows))


def headers() -> Iterator[Polluted]:
    yield Polluted("no header", write(ROWS).encode(), main(names=None))
    for count in (1, 2, 3):
        yield Polluted(f"{count} rows", write([NAMES, *ROWS[:count]]).encode(), main(ROWS[:count]))
    yield Polluted("one row, no header", write(ROWS[:1]).encode(), main(ROWS[:1], None))
    yield Polluted("only a header", write([NAMES]).encode(), {})
    yield Polluted("only a header, no line end", write([NAMES]).encode()[:-1], {})
    yield Polluted("nothing", b"", {})
    yield Polluted("only a mark", b"\xef\xbb\xbf", {})
    for count in (2, 3):
        names = [" ".join([name] * count) for name in NAMES]
        yield Polluted(f"{count} header rows", write([NAMES] * count + ROWS).encode(), main(names=names))
    units = ["d/m/y", "h:m", "pcs", "id", "USD", "type", "text", "link", "text"]
    names = [f"{a} {b}" for a, b in zip(NAMES, units, strict=True)]
    yield Polluted("units below the header", write([NAMES, units, *ROWS]).encode(), main(names=names))
    for name, given, read in (
        ("the same", ["A"] * 9, ["A", *(f"A_{i}" for i in range(2, 10))]),
        ("one empty", ["DATE", "", *NAMES[2:]], ["DATE", "column_2", *NAMES[2:]]),
        ("one long", ["X" * 300, *NAMES[1:]], ["X" * 300, *NAMES[1:]]),
        ("signs", ["$%&/(%)", *NAMES[1:]], ["$%&/(%)", *NAMES[1:]]),
        ("a line end", ["DA\nTE", *NAMES[1:]], ["DA\nTE", *NAMES[1:]]),
        ("reserved", ["_cf_job_id", "_CF_x", *NAMES[2:]], ["x_cf_job_id", "x_CF_x", *NAMES[2:]]),
    ):
        yield Polluted(f"header cells: {name}", write([given, *ROWS]).encode(), main(names=read))
    yield Polluted("header with another delimiter", replaced(0, ";".join(NAMES)), main())
    yield Polluted("header with one delimiter more at its end", replaced(0, ",".join(NAMES) + ","), main())
    yield Polluted("header with one delimiter more inside", replaced(0, ",".join(NAMES).replace(",", ",,", 1)), main())
    years = [[c, str(i), str(i * 2), str(i * 3)] for i, c in enumerate(["DE", "FR", "IT", "US", "UK"] * 3)]
    names = ["Country", "2018", "2019", "2020"]
    yield Polluted("years as names", write([names, *years]).encode(), main(years, names))
    frame = [[str(i), f"name {i % 9}", "Rome"] for i in range(20)]
    yield Polluted(
        "an index without a name",
        write([["", "who", "city"], *frame]).encode(),
        main(frame, ["column_1", "who", "city"]),
    )
    quarters = [[f"n{i}", str(i), str(i * 2), str(i * 3), str(i * 4)] for i in range(20)]
    merged = [["", "2019", "", "2020", ""], ["Name", "Q1", "Q2", "Q1", "Q2"]]
    names = ["Name", "2019 Q1", "Q2", "2020 Q1", "Q2_2"]
    yield Polluted("names below merged cells", write([*merged, *quarters]).encode(), main(quarters, names))
    numbers = [[str(i), str(i * i), str(i + 5)] for i in range(30)]
    yield Polluted("only numbers", write(numbers).encode(), main(numbers, None))
    cars = [[str(i), str(i * 2), str(i + 3), str(i % 5)] for i in range(1, 30)]
    yield Polluted(
        "row numbers without a name",
        write([["mpg", "cyl", "hp"], *cars], delimiter="\t").encode(),
        main(cars, ["column_1", "mpg", "cyl", "hp"]),
    )
    words = [[f"name {i}", f"text {i % 7} here"] for i in range(30)]
    yield Polluted("text everywhere", write([["label", "words"], *words]).encode(), main(words, ["label", "words"]))


def surroundings() -> Iterator[Polluted]:
    for count in (1, 2, 3, 5, 10):
        title = "PREAMBLE line of text\n" * count
        padded = ("PREAMBLE" + "," * 8 + "\n") * count
        yield Polluted(f"preamble of {count}", (title + BASE).encode(), main())
        yield Polluted(f"preamble of {count} and a gap", (title + "\n" + BASE).encode(), main())
        yield Polluted(f"preamble of {count}, no header", (title + write(ROWS)).encode(), main(names=None))
        yield Polluted(f"preamble of {count}, padded", (padded + BASE).encode(), main())
        yield Polluted(f"preamble of {count}, padded, and a gap", (padded + "," * 8 + "\n" + BASE).encode(), main())
    for name, above in {
        "with commas": "Report, generated today, by me\nPeriod: 2018, Q1\n\n",
        "long": "Some introduction, with commas, and more; stuff\n" * 3 + "\n",
        "quoted": '"Report on things, 2018"\n',
        "comments": "# generated by x\n# on 2018-01-01, a thing\n",
    }.items():
        yield Polluted(f"preamble {name}", (above + BASE).encode(), main())
    text = "Report;Sales\nPeriod;2018\nAuthor;Joe\n\n" + write([NAMES, *ROWS], delimiter=";")
    yield Polluted("preamble of pairs", text.encode(), main())
    yield Polluted("sep= line", ("sep=;\n" + write([NAMES, *ROWS], delimiter=";")).encode(), main())
    yield Polluted("comment in the middle", join([*LINES[:20], "# a note, here", *LINES[20:]]), main())
    yield Polluted("footer", (BASE + "FOOTNOTE\n").encode(), main(), 1)
    yield Polluted("footers", (BASE + "note one\nnote two\nnote three\nnote four\nnote five\n").encode(), main(), 5)
    yield Polluted("footer after a gap", (BASE + "\nFOOTNOTE text, with comma\nSecond line\n").encode(), main(), 2)
    yield Polluted("footer of pairs", (BASE + "\nAuthor,Joe\nDate,2018\n").encode(), main(), 2)
    padded_footer = [*ROWS, ["FOOTNOTE", *[""] * 8]]
    yield Polluted("footer, padded", (BASE + "FOOTNOTE" + "," * 8 + "\n").encode(), main(padded_footer))
    yield Polluted("delimiter after each line", join([line + "," for line in LINES]), main())
    full = [[*row[:8], "c"] for row in ROWS]
    rows = [line + "," for line in write(full).split("\n")[:-1]]
    yield Polluted("delimiter after each row", join([",".join(NAMES), *rows]), main(full))


def records() -> Iterator[Polluted]:
    for n in (1, 2, 5, 30):
        for name, line in {
            "a delimiter less": LINES[n].replace(",", "", 1),
            "a delimiter more": "," + LINES[n],
            "delimiters at the end": LINES[n] + ",,,",
            "another delimiter": write([ROWS[n - 1]], delimiter=";")[:-1],
            "another quote": write([ROWS[n - 1]], quotechar="'", quoting=csv.QUOTE_ALL)[:-1],
            "cut in half": LINES[n][: len(LINES[n]) // 2],
            "a stray quote": '"' + LINES[n],
        }.items():
            yield Polluted(f"row {n} has {name}", replaced(n, line), main(without(n)), 1)
        yield Polluted(f"blank line before row {n}", join([*LINES[:n], "", *LINES[n:]]), main())
        empty = [*ROWS[: n - 1], [""] * 9, *ROWS[n - 1 :]]
        yield Polluted(f"row of delimiters before row {n}", join([*LINES[:n], "," * 8, *LINES[n:]]), main(empty))
    for column in range(9):
        cells = ['"' + c.replace('"', '""') + '"' if {",", '"'} & set(c) else c for c in ROWS[9]]
        cells[column] = '"' + cells[column]
        yield Polluted(f"stray quote in column {column}", replaced(10, ",".join(cells)), main(without(10)), 1)
    for first, second in ((3, 10), (5, 50)):
        lines = list(LINES)
        lines[first], lines[second] = '"' + lines[first], lines[second] + '"'
        yield Polluted(f"stray quotes in {first} and {second}", join(lines), main(without(first, second)), 2)
    bad = set(random.Random(5).sample(range(1, len(LINES)), 12))
    more = [line + ",extra" if i in bad else line for i, line in enumerate(LINES)]
    less = [line[line.index(",") + 1 :] if i in bad else line for i, line in enumerate(LINES)]
    yield Polluted("a fifth of the rows is too long", join(more), main(without(*bad)), 12)
    yield Polluted("a fifth of the rows is too short", join(less), main(without(*bad)), 12)
    yield Polluted("cut off at the end", BASE.encode()[:-40], main(ROWS[:-1]), 1)
    pairs = [[str(i), f"é{i}"] for i in range(30)]
    text = write([["a", "é"], *pairs])
    rest = [pair for pair in pairs if pair[0] != "7"]
    yield Polluted(
        "a byte that is not UTF-8", text.encode().replace("é7\n".encode(), b"\xe97\n"), main(rest, ["a", "é"]), 1
    )
    yield Polluted("a NUL byte", text.encode().replace("é7\n".encode(), b"\x00\n"), main(rest, ["a", "é"]), 1)


def uneven() -> Iterator[Polluted]:
    for seed in range(12):
        pick = random.Random(seed + 100)
        width = pick.randint(3, 8)
        words = ["x", "yy y", "5", "7.25", "2020-01-01", ""]
        rows = [[str(i), *(pick.choice(words) for _ in range(width - 1))] for i in range(200)]
        lines, good = [], []
        for row in rows:
            change = pick.choice([-1, 1, 2]) if pick.random() < 0.3 else 0
            lines.append(";".join(row[:change] if change < 0 else row + ["e"] * change))
            good += [] if change else [row]
        names = [f"h{i}" for i in range(width)]
        yield Polluted(f"a third of the rows uneven {seed}", join([";".join(names), *lines]), main(good, names), None)


def several_tables() -> Iterator[Polluted]:
    small = write([SMALL_NAMES, *SMALL_ROWS])
    big_table, small_table = (NAMES, ROWS), (SMALL_NAMES, SMALL_ROWS)
    turned = (NAMES[::-1], [row[::-1] for row in ROWS])
    both = {"": big_table, "t2": small_table}
    for name, gap in {"a gap": "\n", "two blank lines": "\n\n", "no gap": ""}.items():
        yield Polluted(f"two tables, {name}", (BASE + gap + small).encode(), both)
        yield Polluted(
            f"two tables, small first, {name}", (small + gap + BASE).encode(), {"": small_table, "t2": big_table}
        )
        if gap:
            text = BASE + gap + write([turned[0], *turned[1]])
            yield Polluted(f"two tables of one width, {name}", text.encode(), {"": big_table, "t2": turned})
    yield Polluted("two tables and a title between", (BASE + "\nSecond table\n\n" + small).encode(), both)
    yield Polluted("two tables with titles", ("First table\n" + BASE + "\nSecond table\n" + small).encode(), both)
    semicolons = write([SMALL_NAMES, *SMALL_ROWS], delimiter=";")
    yield Polluted("two dialects", (BASE + "\n" + semicolons).encode(), both)
    tabs = write([NAMES, *ROWS], delimiter="\t")
    yield Polluted("two dialects, tabs second", (small + "\n" + tabs).encode(), {"": small_table, "t2": big_table})
    first = (SMALL_NAMES, SMALL_ROWS[:3])
    text = write([SMALL_NAMES, *SMALL_ROWS[:3]]) + "\n" + BASE
    yield Polluted("a very small table first", text.encode(), {"": first, "t2": big_table})
    text = BASE + "\n" + write([SMALL_NAMES, *SMALL_ROWS[:1]])
    yield Polluted("a table of one row second", text.encode(), {"": big_table, "t2": (SMALL_NAMES, SMALL_ROWS[:1])})
    pairs = [[str(i), "x"] for i in range(9)]
    text = small + "\n" + BASE + "\n" + write([["a", "b"], *pairs])
    yield Polluted("three tables", text.encode(), {"": small_table, "t2": big_table, "t3": (["a", "b"], pairs)})
    yield Polluted("one table with its header twice", (BASE + BASE).encode(), main(ROWS + ROWS))
    yield Polluted("one table with its header again after a gap", (BASE + "\n" + BASE).encode(), main(ROWS + ROWS))
    yield Polluted("two dialects, no gap", (semicolons + BASE).encode(), {"": small_table, "t2": big_table})
    yield Polluted("two dialects, no gap, big first", (BASE + semicolons).encode(), both)
    grown = [",".join([*row, "new"]) for row in ROWS]
    yield Polluted("a column more from the middle on", join([*LINES, *grown]), main(), 60)
    yield Polluted("a run of long rows", join([*LINES[:30], *grown[:9], *LINES[30:]]), main(), 9)


def cells() -> Iterator[Polluted]:
    def table(name: str, names: list[str], rows: list[list[str]], **dialect: Any) -> Polluted:
        return Polluted(name, write([names, *rows], **dialect).encode(), main(rows, names))

    n = range(30)
    yield table("decimal commas", ["x", "y", "z"], [["1,5", "2,25", "a b"], ["3,5", "4,5", "c"]] * 9, delimiter=";")
    money = [[str(i), f"1.234,{i:02d}", f"0{i % 9 + 1}.02.2020"] for i in n]
    yield table("thousands and decimal commas", ["nr", "betrag", "datum"], money, delimiter=";")
    yield table("two columns of euros", ["nr", "betrag"], [row[:2] for row in money], delimiter=";")
    yield table("JSON", ["id", "j", "t"], [[str(i), f'{{"a": 1, "b": [1, "x"], "n": "{i}"}}', "t"] for i in n])
    raw = [f'{i}\t{{"a": 1, "b": [1, 2]}}\tt{i}' for i in n]
    yield Polluted("JSON between tabs", join(["id\tj\tt", *raw]), main([r.split("\t") for r in raw], ["id", "j", "t"]))
    yield table(
        "line ends in cells", ["id", "text", "e"], [[str(i), f"one\ntwo, with comma\n\nline {i}", "e"] for i in n]
    )
    yield table("tables in cells", ["id", "blob", "z"], [[str(i), "a,b,c\n1,2,3\n4,5,6\n", "e"] for i in n])
    yield table("verses in cells", ["id", "t"], [[str(i), "roses, red\nviolets, blue\nx, y\nz, w\na, b\n"] for i in n])
    yield table("markup in cells", ["id", "html"], [[str(i), f'<a href="x{i}">t, {i}</a>\n<br>'] for i in n])
    inches = [f'5" pipe,{i},a 2" b' for i in n]
    yield Polluted("quotes as inches", join(["p,n,q", *inches]), main([r.split(",") for r in inches], ["p", "n", "q"]))
    yield table("many columns", [f"c{i}" for i in range(3000)], [[str(i * j) for j in range(3000)] for i in range(6)])
    urls = [[f"10.0.0.{i}", f"http://x.y/{i}?a=1,2;3"] for i in n]
    yield table("addresses", ["ip", "url"], urls, delimiter="\t")
    yield table("addresses between bars", ["ip", "url", "z"], [[*row, f"z:{row[0]}"] for row in urls], delimiter="|")
    spaced = [f'{i}, "n, {i}", {i * 2}' for i in n]
    expected = [[str(i), f"n, {i}", str(i * 2)] for i in n]
    yield Polluted("spaces after delimiters", join(["id, name, v", *spaced]), main(expected, ["id", "name", "v"]))
    some = [f'{i}, "n, {i}",{i * 2}' for i in n]
    yield Polluted("spaces before quotes", join(["id,name,v", *some]), main(expected, ["id", "name", "v"]))
    sparse = [[c if (i + j) % 3 else "" for j, c in enumerate(row)] for i, row in enumerate(ROWS)]
    yield table("many empty cells", NAMES, sparse)
    yield table("backslashes", ["p", "n"], [[f"C:\\temp\\new{i}\\", f"a,b{i}"] for i in n])
    yield table("apostrophes", ["n", "t"], [[f"'tis {i}", f"dogs' {i}, x"] for i in n])
    yield table("times and colons", ["time", "msg"], [[f"12:{i:02d}:33", f"user: a{i} did b: c"] for i in n])
    tabbed = [f"n{i}\thello, world, {i}" for i in n]
    yield Polluted(
        "tabs and commas", join(["name\tnote", *tabbed]), main([r.split("\t") for r in tabbed], ["name", "note"])
    )
    log = [[f"2024-01-01 00:00:{i:02d}", "INFO", f'user "x{i}" did, well; a thing'] for i in n]
    yield table("log messages", ["ts", "level", "msg"], log)
    yield Polluted("quoted empty cells", b'a,b\n"",1\n"",2\n', main([["", "1"], ["", "2"]], ["a", "b"]))


def random_tables() -> Iterator[Polluted]:
    words = ["alpha", "beta", "gamma delta", "o'neil", "Zürich", "naïve", "x-y", "foo_bar", "100%", "N/A"]
    for seed in range(40):
        pick = random.Random(seed)
        makers = {
            "int": lambda p: str(p.randint(0, 10 ** p.randint(1, 7))),
            "dec": lambda p: f"{p.random() * 1000:.2f}",
            "comma": lambda p: f"{p.random() * 1000:.2f}".replace(".", ","),
            "text": lambda p: p.choice(words),
            "date": lambda p: f"{p.randint(1990, 2030)}-{p.randint(1, 12):02d}-{p.randint(1, 28):02d}",
            "mixed": lambda p: p.choice(["", "7", "x", "a, b", "c; d", 'q "z" q', "- "]),
            "code": lambda p: f"AB-{p.randint(100, 999)}",
            "empty": lambda p: "" if p.random() < 0.8 else "v",
            "long": lambda p: " ".join(p.choice(words) for _ in range(9)) + p.choice([".", ", so on", "; etc", ""]),
            "time": lambda p: f"2024-{p.randint(1, 12):02d}-05 {p.randint(0, 23):02d}:{p.randint(0, 59):02d}:00",
            "url": lambda p: f"https://ex.org/a/{p.randint(1, 99)}?x=1&y={p.randint(1, 9)}",
        }
        kinds = ["int", *(pick.choice(list(makers)) for _ in range(pick.randint(1, 8)))]
        count = pick.choice([1, 2, 3, 5, 8, 20, 80, 300])
        names = [f"{kind}_{i}" for i, kind in enumerate(kinds)]
        rows = [[makers[kind](pick) for kind in kinds] for _ in range(count)]
        for mark in (",", ";", "\t", "|"):
            text = write([names, *rows], delimiter=mark, lineterminator=pick.choice(["\n", "\r\n"]))
            yield Polluted(f"random {seed} {mark!r}", text.encode(), main(rows, names))


def corpus() -> list[Polluted]:
    groups = (
        dialects, line_ends, encodings, headers, surroundings, records, uneven, several_tables, cells, random_tables
    )  # fmt: skip
    return [case for group in groups for case in group()]
