"""Files of people with secrets in every place, a parser that tells them to everybody, and what is asked afterwards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api_service import running_api
from product import Product

PARSER = """
    import pyarrow as pa
    from casparian_flow.sdk import Column, PluginMetadata, Rejected, Rows, Verdict

    MANIFEST = PluginMetadata(
        pattern="*.people",
        outputs={
            "people": [
                Column("name"),
                Column("age", "int64"),
                Column("ssn", sensitivity="secret"),
                Column("pin", "int64", sensitivity="secret"),
                Column("card", sensitivity="secret", treatment="partial", treatment_argument="0-4"),
                Column("mail", sensitivity="personal"),
                Column("token", sensitivity="secret", treatment="drop"),
                Column("salary", "int64", sensitivity="personal", treatment="null"),
                Column("town", sensitivity="personal", treatment="fixed", treatment_argument="somewhere"),
            ]
        },
    )

    def parse(path):
        rows = [line.split(",") for line in path.read_text().splitlines()]
        names = ["name", "age", "ssn", "pin", "card", "mail", "token", "salary", "town", "extra"]
        print("these are the rows", rows)
        yield Verdict("first", rows[0][2])
        if rows[0][0] == "boom":
            raise ValueError("cannot read " + repr(rows))
        for start, row in enumerate(rows):
            if row[0] == "odd":
                text = ",".join(row)
                yield Rejected("people", "cf.people.odd", text, start, start + 1, locator=text, raw=text.encode())
                yield Rejected("others", "cf.people.odd", text, start, start + 1, raw=text.encode())
        good = [row for row in rows if row[0] != "odd"]
        yield Rows("people", pa.table({n: [row[i] for row in good] for i, n in enumerate(names)}))
        yield Rows("strangers", pa.table({"ssn": [row[2] for row in good]}))
"""
SECRETS = ("SSN-Alpha-0417", "SSN-Beta-2210", "77123409871", "PIN-Gamma-31", "4111000022223333", "TOKEN-Delta-9",
           "8812345678", "Town-Epsilon", "EXTRA-Zeta-5")  # fmt: skip
MAILS = ("ann@eta.example", "bob@eta.example", "cat@eta.example")
ROWS = {
    "a.people": [
        "ann,31,SSN-Alpha-0417,77123409871,4111000022223333,ann@eta.example,TOKEN-Delta-9,8812345678,Town-Epsilon,EXTRA-Zeta-5",
        "bob,no,SSN-Beta-2210,77123409871,4111000022223333,bob@eta.example,TOKEN-Delta-9,8812345678,Town-Epsilon,EXTRA-Zeta-5",
        "cat,7,SSN-Beta-2210,PIN-Gamma-31,4111000022223333,cat@eta.example,TOKEN-Delta-9,8812345678,Town-Epsilon,EXTRA-Zeta-5",
        "odd,7,SSN-Beta-2210,PIN-Gamma-31,4111000022223333,cat@eta.example,TOKEN-Delta-9,8812345678,Town-Epsilon,EXTRA-Zeta-5",
    ],
    "b.people": ["dan,8,SSN-Alpha-0417,77123409871,12,,TOKEN-Delta-9,8812345678,Town-Epsilon,EXTRA-Zeta-5"],
    "c.people": ["boom,8,SSN-Alpha-0417,77123409871,12,,TOKEN-Delta-9,8812345678,Town-Epsilon,EXTRA-Zeta-5"],
}  # fmt: skip


def look(product: Product, tmp_path: Path) -> list[str]:
    """What commands say that show rows, rejections, logs, errors or drift."""
    jobs = [str(job["job"]) for job in product("jobs", "--json").json["jobs"] if job["state"] == "failed"]
    groups = [str(group["group"]) for group in product("quarantine", "--json").json["groups"]]
    shown = [
        ("quarantine",),
        ("quarantine", "export", str(product.home / "rejected.csv")),
        ("contract", "show", "people"),
        ("files",),
        ("status",),
        ("doctor",),
        ("output", "show", "people"),
        ("sql", "SELECT * FROM people"),
        ("sql", "SELECT * FROM schema_drift"),
        ("profile", "people"),
        *(("why", str(tmp_path / "in" / name)) for name in ROWS),
        *(("jobs", verb, job) for job in jobs for verb in ("show", "logs")),
        *(("quarantine", "show", group) for group in groups),
    ]
    told_to_people = ("quarantine", "jobs", "why")  # what others show is the same values in columns
    answers = [product(*arguments) for arguments in shown if arguments[0] in told_to_people]
    answers += [product(*arguments, "--json") for arguments in shown if arguments[1:2] != ("logs",)]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("quarantine/list", {}),
        *((f"quarantine/{verb}", {"group": group}) for verb in ("show", "raw") for group in groups),
        *((f"jobs/{verb}", {"job": job}) for verb in ("show", "logs") for job in jobs),
        ("sql", {"query": "SELECT * FROM quarantine.people"}),
    ]
    with running_api(product.home.parent) as api:
        told = [api.ask("POST", f"/v1/{path}", body) for path, body in asked]
    assert {each.status for each in told} == {200}
    return [*(text for each in answers for text in (each.out, each.err)), *(each.body.decode() for each in told)]
