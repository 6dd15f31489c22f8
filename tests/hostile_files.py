"""Odd and damaged files, each with what a careful person reads from it: typed rows, and the bytes that are rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

Cells = Sequence[Any]


@dataclass(frozen=True)
class Hostile:
    """One file. `tables` are columns and rows by the ending of the table's name, `rejected` codes with their bytes."""

    name: str
    data: bytes
    tables: dict[str, tuple[list[str], list[Cells]]]
    rejected: list[tuple[str, bytes]] = field(default_factory=list)
    ending: str = "csv"


HOSTILE: list[Hostile] = []


def add(
    name: str,
    data: str | bytes,
    columns: str,
    rows: Sequence[Cells],
    rejected: Sequence[tuple[str, str | bytes]] = (),
    *,
    ending: str = "csv",
    more: dict[str, tuple[list[str], list[Cells]]] | None = None,
) -> None:
    """Take a file in; columns are separated by blanks."""
    faults = [(code, each if isinstance(each, bytes) else each.encode()) for code, each in rejected]
    tables = {"": (columns.split(), list(rows))} | (more or {})
    HOSTILE.append(Hostile(name, data if isinstance(data, bytes) else data.encode(), tables, faults, ending))


def people(mark: str, end: str = "\n", last: str | None = None) -> str:
    """The same small table with any delimiter and line end."""
    lines = ["id name amt", "1 ann 1.5", "2 bob 2.25", "3 cy 3.0", "4 di 10.75"]
    return end.join(line.replace(" ", mark) for line in lines) + (end if last is None else last)


PEOPLE = "id name amt"
PEOPLE_ROWS = [(1, "ann", 1.5), (2, "bob", 2.25), (3, "cy", 3.0), (4, "di", 10.75)]
ARITY, QUOTE, ENCODING, NUL = "cf.csv.arity", "cf.csv.quote", "cf.csv.encoding", "cf.csv.nul"


def _delimiters() -> None:
    for mark in (",", ";", "\t", "|", ":", "^", "~", "\x1f", "\x01", "||", "::", "|~|", " ", ", "):
        add(f"split by {mark!r}", people(mark), PEOPLE, PEOPLE_ROWS)
    add("blanks behind commas but in the header", "id,v\n1, 1\n2, 2\n", "id v", [(1, " 1"), (2, " 2")])
    add(
        "a semicolon in every cell",
        "id,v\n1,2024-01-05 10:20:30;5\n2,2024-01-05 10:20:30;6\n",
        "id v",
        [(1, "2024-01-05 10:20:30;5"), (2, "2024-01-05 10:20:30;6")],
    )
    add(
        "two decimal commas",
        "a;b\n1,5;2,5\n3,5;4,5\n5,5;6,5\n",
        "a b",
        [("1,5", "2,5"), ("3,5", "4,5"), ("5,5", "6,5")],
    )
    add("empty fields at the end", "a,b,,\n1,2,,\n3,4,,\n", "a b column_3", [(1, 2, None), (3, 4, None)])
    add(
        "a title with a comma",
        "Sales, 2024\nname;amt\na;1,5\nb;2,5\nc;3,5\n",
        "name amt",
        [("a", "1,5"), ("b", "2,5"), ("c", "3,5")],
    )
    add(
        "tabs around commas",
        "n\taddr\nann\t1 Main St, York\nbob\t2 High St, Leeds\n",
        "n addr",
        [("ann", "1 Main St, York"), ("bob", "2 High St, Leeds")],
        ending="tsv",
    )


def _quotes() -> None:
    add(
        "single quotes",
        "'id','v','n'\n'1','a, b','1.5'\n'2','it''s','2'\n'3','c','3'\n",
        "id v n",
        [(1, "a, b", 1.5), (2, "it's", 2.0), (3, "c", 3.0)],
    )
    add("doubled quotes", 'id,v\n1,"x"""\n2,"""y"\n3,""""\n', "id v", [(1, 'x"'), (2, '"y'), (3, '"')])
    add(
        "backslashes before quotes",
        'id,v,z\n1,"say \\"hi\\", ok",1\n2,"back\\\\slash",2\n3,"x, \\"y\\"",3\n',
        "id v z",
        [(1, 'say "hi", ok', 1), (2, "back\\slash", 2), (3, 'x, "y"', 3)],
    )
    add(
        "both quotes",
        'id,v\n1,"dq, one"\n2,\'tis\n3,o\'clock\n4,"x, y"\n',
        "id v",
        [(1, "dq, one"), (2, "'tis"), (3, "o'clock"), (4, "x, y")],
    )
    add(
        "open at the end",
        'id,v,z\n1,aa,5\n2,bb,6\n3,"cc,7',
        "id v z",
        [(1, "aa", 5), (2, "bb", 6)],
        [(QUOTE, '3,"cc,7')],
    )
    add(
        "inches",
        'id,v,z\n1,5" disk,1\n2,6" x 7",2\n3,plain,3\n',
        "id v z",
        [(1, '5" disk', 1), (2, '6" x 7"', 2), (3, "plain", 3)],
    )
    add(
        "text behind a quote",
        'id,v,z\n1,"a"b,1\n2,cc,2\n3,dd,3\n4,ee,4\n',
        "id v z",
        [(2, "cc", 2), (3, "dd", 3), (4, "ee", 4)],
        [(QUOTE, '1,"a"b,1\n')],
    )
    add("empty in quotes", 'id,s,n\n1,"",5\n2,,6\n3,x,\n', "id s n", [(1, "", 5), (2, None, 6), (3, "x", None)])
    add(
        "line ends in quotes",
        'id,v\r\n1,"x\r\ny"\r\n2,"a\nb"\r\n3,"c\rd"\r\n',
        "id v",
        [(1, "x\r\ny"), (2, "a\nb"), (3, "c\rd")],
    )
    add(
        "a table in quotes",
        'a,b,c\n1,"x\n1,2,3\n4,5,6\nend",9\n2,y,8\n',
        "a b c",
        [(1, "x\n1,2,3\n4,5,6\nend", 9), (2, "y", 8)],
    )
    add("JSON in quotes", 'id,j\n1,"{""a"": 1}"\n2,"{""b"": [1,2]}"\n', "id j", [(1, '{"a": 1}'), (2, '{"b": [1,2]}')])
    lines = [f"{number},x{number},{number}\n" for number in range(40)]
    lines[3:7] = ['3,"c"c,3\n', "4,d\n", '5,"e"e,5\n', '6,"f"f,6\n']
    rows = [(number, f"x{number}", number) for number in range(40) if number not in range(3, 7)]
    faults = [(ARITY if at == 4 else QUOTE, lines[at]) for at in range(3, 7)]
    add("damage line by line", "".join(["id,v,z\n", *lines]), "id v z", rows, faults)


def _encodings() -> None:
    text = "id,naïve,city\n1,Zoë,Málaga\n2,Jürgen,Köln\n3,Øre,Łódź\n"
    rows = [(1, "Zoë", "Málaga"), (2, "Jürgen", "Köln"), (3, "Øre", "Łódź")]
    for encoding in ("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"):
        add(encoding, text.encode(encoding), "id naïve city", rows)
    add("utf-32-be with a mark", b"\0\0\xfe\xff" + text.encode("utf-32-be"), "id naïve city", rows)
    western = text.replace("Łódź", "€“q”")
    add("cp1252", western.encode("cp1252"), "id naïve city", [*rows[:2], (3, "Øre", "€“q”")])
    add("half a unit", "id,n\n1,a\n2,b\n".encode("utf-16-le") + b"3", "id n", [(1, "a"), (2, "b")], [(ENCODING, b"3")])
    add(
        "a western line",
        b"id,n\n1,a\xc3\xa9\n2,b\xc3\xa8\n3,c\xe9\n4,\xc3\xa9\n",
        "id n",
        [(1, "aé"), (2, "bè"), (4, "é")],
        [(ENCODING, b"3,c\xe9\n")],
    )
    add(
        "half a character",
        b"id,n\n1,\xed\xa0\x80\n2,b\n3,c\xc3\xa9\n4,d\xc3\xa9\n",
        "id n",
        [(2, "b"), (3, "cé"), (4, "dé")],
        [(ENCODING, b"1,\xed\xa0\x80\n")],
    )
    add("a stray byte", b"id,n\n1,5\n2\xff,6\n3,7\n", "id n", [(1, 5), (3, 7)], [(ENCODING, b"2\xff,6\n")])
    add("a mark inside", b"id,n\n1,a\n\xef\xbb\xbf2,b\n3,c\n", "id n", [("1", "a"), ("\ufeff2", "b"), ("3", "c")])
    add("one NUL", b"a,b,c\n1,x\0y,3\n2,z,4\n3,w,5\n", "a b c", [(2, "z", 4), (3, "w", 5)], [(NUL, b"1,x\0y,3\n")])
    add(
        "control characters",
        "a,b\n1,x\x07y\n2,\x1bz\n3,\x7f\n4,\x0b\x85\u2028\n",
        "a b",
        [(1, "x\x07y"), (2, "\x1bz"), (3, "\x7f"), (4, "\x0b\x85\u2028")],
    )
    add("the end mark of DOS", "a,b\n1,2\n3,4\n\x1a", "a b", [(1, 2), (3, 4)])


def _line_ends() -> None:
    for name, end, last in (("CR", "\r", ""), ("CRLF", "\r\n", None), ("CR CR LF", "\r\r\n", None)):
        add(f"ends in {name}", people(",", end, last), PEOPLE, PEOPLE_ROWS)
    add("all ends", "id,name,amt\r\n1,ann,1.5\n2,bob,2.25\r3,cy,3.0\r\n4,di,10.75", PEOPLE, PEOPLE_ROWS)
    add(
        "blank lines", "\n\nid,name,amt\n\n1,ann,1.5\n\n\n2,bob,2.25\n3,cy,3.0\n  \n4,di,10.75\n\n", PEOPLE, PEOPLE_ROWS
    )


def _around() -> None:
    for name, above in {
        "titles": "Quarterly report\nPrepared by Bob\n\n",
        "a title with commas": "Report, of sales\n",
        "keys and values": "Station: 7\nDate: 2024-01-01\nUnit: m/s\n",
        "keys and values with commas": "Station,7\nDate,2024-01-01\n\n",
        "comments": "# c1\n# c2\n",
    }.items():
        add(f"{name} above", above + people(","), PEOPLE, PEOPLE_ROWS)
    text_rows = [tuple(map(str, (number, name, amount))) for number, name, amount in PEOPLE_ROWS]
    add(
        "a full total",
        people(",") + "Total,,17.5\n",
        PEOPLE,
        [*((int(a) and a, b, float(c)) for a, b, c in text_rows), ("Total", None, 17.5)],
    )
    add("a footer", people(",") + "\nTotal: 4\nEnd\n", PEOPLE, PEOPLE_ROWS, [(ARITY, "Total: 4\n"), (ARITY, "End\n")])
    add(
        "two rows of names",
        "Geo,Geo,Val\nlat,lon,v\n1.5,2.5,3\n2.5,3.5,4\n3.5,4.5,5\n",
        "Geo_lat Geo_lon Val_v",
        [(1.5, 2.5, 3), (2.5, 3.5, 4), (3.5, 4.5, 5)],
    )
    add(
        "units",
        "t,temp,wind\n(s),(C),(m/s)\n1,20.5,3\n2,21.5,4\n3,22.25,5\n4,20.0,6\n",
        "t_(s) temp_(C) wind_(m/s)",
        [(1, 20.5, 3), (2, 21.5, 4), (3, 22.25, 5), (4, 20.0, 6)],
    )
    add("the header again", "a,b\n1,2\n3,4\na,b\n5,6\n", "a b", [(1, 2), (3, 4), (5, 6)])
    add(
        "days as names",
        "item,2024-01-01,2024-02-01\nA,5,6\nB,7,8\n",
        "item 2024-01-01 2024-02-01",
        [("A", 5, 6), ("B", 7, 8)],
    )
    add(
        "years as names",
        "name,2019,2020,2021\nann,1.5,2.5,3.5\nbob,4.5,5.5,6.5\n",
        "name 2019 2020 2021",
        [("ann", 1.5, 2.5, 3.5), ("bob", 4.5, 5.5, 6.5)],
    )
    add(
        "no header",
        "1,ann,2.5\n2,bob,3.5\n3,cy,4.5\n",
        "column_1 column_2 column_3",
        [(1, "ann", 2.5), (2, "bob", 3.5), (3, "cy", 4.5)],
    )
    add(
        "names that repeat",
        "a,a,,a_2,_cf_x\n1,2,3,4,5\n5,6,7,8,9\n",
        "a a_2 column_3 a_2_2 x_cf_x",
        [(1, 2, 3, 4, 5), (5, 6, 7, 8, 9)],
    )
    second = {"__t2": (["x", "y", "z"], [("q", 1, 2), ("r", 3, 4)])}
    add("two small tables", "a,b\n1,2\n3,4\n\nx,y,z\nq,1,2\nr,3,4\n", "a b", [(1, 2), (3, 4)], more=second)


def _shapes() -> None:
    add("one column", "n\n1\n\n3\n", "n", [(1,), (3,)])
    add("one row", "a,b\n1,2\n", "a b", [(1, 2)])
    add("rows end in a delimiter", "a,b\n1,2,\n3,4,\n5,6,\n", "a b", [(1, 2), (3, 4), (5, 6)])
    add(
        "short and long",
        "a,b,c\n1,2,3\n4,5\n6,7,8\n9,9,9,,\n1,1,1\n2,2",
        "a b c",
        [(1, 2, 3), (6, 7, 8), (1, 1, 1)],
        [(ARITY, "4,5\n"), (ARITY, "9,9,9,,\n"), (ARITY, "2,2")],
    )
    wide = "a,b,c\n1,2,3\n4,5\n6,7,8\n9,9,9\n"
    add(
        "short in utf-16",
        wide.encode("utf-16"),
        "a b c",
        [(1, 2, 3), (6, 7, 8), (9, 9, 9)],
        [(ARITY, "4,5\n".encode("utf-16-le"))],
    )
    add("a row of nothing", "a,b,c\n1,,3\n,,\n4,,6\n", "a b c", [(1, None, 3), (None, None, None), (4, None, 6)])
    add("a huge cell", 'a,b\n1,"' + "x" * 1_000_000 + '"\n2,y\n', "a b", [(1, "x" * 1_000_000), (2, "y")])
    many = [f"{number},t{number},{number * 2}" for number in range(60_000)]
    many[40_000:40_002] = ["4,5", '7,"oo"ps,3']
    rows = [(number, f"t{number}", number * 2) for number in range(60_000) if number not in (40_000, 40_001)]
    add("late damage", "\n".join(["a,b,c", *many, ""]), "a b c", rows, [(ARITY, "4,5\n"), (QUOTE, '7,"oo"ps,3\n')])


# Columns whose cells, here between blanks, must stay text; `|` and line ends separate columns.
STAY_TEXT = """01/02/2024 03/04/2024|01-02-2024 03-04-2024|13/02/2024 02/13/2024|05-Jan-2024 28-Feb-2024
31/12/24 30/11/24|1/2/2024 3/4/2024|2024-01-05T10:20:30Z 2024-01-05T10:20:31|2024-01-05t10:20:30z 2024-01-05t10:20:31z
2024-01-05T10:20:30.1234567891 2024-01-05T10:20:30.1234567892|2016-12-31T23:59:60 2016-12-31T23:59:59
2024-01-05T24:00:00 2024-01-05T10:00:00|2024-01-05 2024-01-05T10:00:00|2023-02-29 2024-02-29|0000-01-01 2024-01-01
1500-01-01T00:00:00 2024-01-01T00:00:00|25:00:00 10:00:00|9:30 10:30|007 008|0 1 01|01.5 02.5|+1 +2|+1 2|0x1F 0xFF
NaN 1.5|inf -inf 1|Infinity 1.0|9223372036854775808 1|-9223372036854775809 1|1000000000000000000000000000000 5
. 1.5|- 1|--1 2|(5) 7|5- 7|5% 6%|$5 $6|€5 €6|1e400 1|1e-400 1|1.5f 2.5f|1L 2L|yes no|T F|true 1|NULL 1|null 1|NA 1|N/A 1
\\N 1|nan 1|#N/A 1|? 1|1 2.5 abc 2024-01-01|١ ٢|１ ２|² 3|1.2.3 1.2.4|1h30m P1D
2024-W01 2024-W02|2024-01 2024-02|1_000 2_000"""
ARE_TYPED: list[tuple[str, list[Any]]] = [
    ("2024-01-05 2024-02-28", [date(2024, 1, 5), date(2024, 2, 28)]),
    ("2024/01/05 2024/02/28", [date(2024, 1, 5), date(2024, 2, 28)]),
    ("01/02/2024 31/01/2024", [date(2024, 2, 1), date(2024, 1, 31)]),
    ("01/02/2024 01/31/2024", [date(2024, 1, 2), date(2024, 1, 31)]),
    ("05.01.2024 06.02.2024", [date(2024, 1, 5), date(2024, 2, 6)]),
    ("0001-01-01 9999-12-31", [date(1, 1, 1), date(9999, 12, 31)]),
    (
        "2024-01-05T10:20:30.5 2024-01-05T23:59",
        [datetime(2024, 1, 5, 10, 20, 30, 500_000), datetime(2024, 1, 5, 23, 59)],
    ),
    (
        "2024-01-05T10:20:30+02:00 2024-01-05T10:20:31-0530",
        [datetime(2024, 1, 5, 8, 20, 30, tzinfo=UTC), datetime(2024, 1, 5, 15, 50, 31, tzinfo=UTC)],
    ),
    ("10:20 23:59:59", [time(10, 20), time(23, 59, 59)]),
    ("20240105 1704067200123", [20240105, 1704067200123]),
    ("1e5 2E-3 7", [1e5, 2e-3, 7.0]),
    ("9223372036854775807 -9223372036854775808", [2**63 - 1, -(2**63)]),
    ("0.1234567890123456789 1.5", [Decimal("0.1234567890123456789"), Decimal("1.5")]),
    ("9007199254740993 2.5", [Decimal(9007199254740993), Decimal("2.5")]),
    (".5 5. -0.0", [0.5, 5.0, -0.0]),
    ("tRuE FALSE", [True, False]),
    ("0 1", [0, 1]),
]


def _values() -> None:
    """All kinds of values side by side, cells repeated down their columns; and values that decide only at the end."""
    columns = [(cells.split(" "), cells.split(" ")) for cells in STAY_TEXT.replace("\n", "|").split("|")]
    columns += [(cells.split(" "), values) for cells, values in ARE_TYPED]
    names = " ".join(f"c{number}" for number in range(len(columns)))
    lines = [",".join(cells[row % len(cells)] for cells, _ in columns) for row in range(12)]
    rows = [tuple(values[row % len(values)] for _, values in columns) for row in range(12)]
    add("kinds of values", "\n".join([names.replace(" ", ","), *lines, ""]), names, rows)
    many = list(range(50_001))
    late = {"word": "oops", "float": "2.5", "zero": "007", "none": ""}
    lines = [f"{number},{number},{number},{number},01/02/2024" for number in many[:-1]]
    lines.append(",".join(late.values()) + ",31/01/2024")
    rows = [(str(n), float(n), str(n), n, date(2024, 2, 1)) for n in many[:-1]]
    rows.append(("oops", 2.5, "007", None, date(2024, 1, 31)))
    add("late values", "\n".join(["word,float,zero,none,day", *lines, ""]), "word float zero none day", rows)


def _json() -> None:
    syntax, truncated = "cf.json.syntax", "cf.json.truncated"
    add("cut behind an element", '[{"a":1},{"a":2}', "a", [(1,), (2,)], ending="json")
    add("cut in an element", '[{"a":1},{"a":2},{"a"', "a", [(1,), (2,)], [(truncated, '{"a"')], ending="json")
    add("NaN", '[{"a":1},{"a":NaN},{"a":2}]', "a", [(1,), (2,)], [(syntax, '{"a":NaN}')], ending="json")
    add("keys twice", '[{"a":1,"a":2},{"a":3}]', "a a_2", [(1, 2), (3, None)], ending="json")
    add(
        "kinds under a key",
        '[{"a":1},{"a":"x"},{"a":true},{"a":null}]',
        "a",
        [("1",), ('"x"',), ("true",), (None,)],
        ending="json",
    )
    add(
        "text that counts",
        '[{"a":"1","b":"2024-01-05"},{"a":"2","b":"2024-01-06"}]',
        "a b",
        [("1", date(2024, 1, 5)), ("2", date(2024, 1, 6))],
        ending="json",
    )
    add(
        "several documents",
        '{"a":1}{"a":2}\n{"b":{"c":3}}',
        "a b",
        [(1, None), (2, None), (None, '{"c":3}')],
        ending="json",
    )
    add("a mixed array", '[1,"a",{"b":2}]', "value b", [("1", None), ('"a"', None), (None, 2)], ending="json")
    add(
        "a bad line",
        '{"a":1}\r\n{"a":oops}\r\n\r\n{"a":3}\r\n',
        "a",
        [(1,), (3,)],
        [(syntax, '{"a":oops}')],
        ending="jsonl",
    )
    add(
        "a western value",
        b'{"a":"x"}\n{"a":"\xe9"}\n{"a":"z"}\n',
        "a",
        [("x",), ("z",)],
        [("cf.json.encoding", b'{"a":"\xe9"}')],
        ending="jsonl",
    )
    add("lines of arrays", "[1,2]\n[3,4]\n", "value", [("[1,2]",), ("[3,4]",)], ending="jsonl")
    add(
        "beyond int64",
        '{"a":9223372036854775808,"b":1e5}\n{"a":1,"b":2}\n',
        "a b",
        [("9223372036854775808", 1e5), ("1", 2.0)],
        ending="jsonl",
    )
    add("utf-16 lines", '{"a":"é"}\n{"a":"ü"}\n'.encode("utf-16"), "a", [("é",), ("ü",)], ending="jsonl")


for group in (_delimiters, _quotes, _encodings, _line_ends, _around, _shapes, _values, _json):
    group()
