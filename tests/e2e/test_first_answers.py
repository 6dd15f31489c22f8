"""What a first plan and a first run say: which tables there will be, where they are, and what can be typed next."""

from __future__ import annotations

from pathlib import Path

from product import Product


def test_a_plan_names_the_tables_that_the_run_makes(product: Product, tmp_path: Path) -> None:
    lines = tmp_path / "in" / "morning.gate"
    lines.parent.mkdir()
    lines.write_text("3\n", encoding="ascii")
    parser = tmp_path / "gates.py"
    parser.write_text(
        "from casparian_flow.sdk import Column, PluginMetadata\n"
        "MANIFEST = PluginMetadata(pattern='*.gate', outputs={'gates': [Column('gate', 'int64')]})\n"
        "def parse(path):\n    yield 'gates', [{'gate': 3}]\n",
        encoding="ascii",
    )

    plan = product("plan", str(lines.parent), "--parser", str(parser), "--json").json
    product.run(str(lines.parent), "--parser", str(parser))

    assert [entry["tables"] for entry in plan["entries"]] == [["gates"]]
    assert product.tables() == ["gates"]


def test_a_run_says_where_each_table_is_and_a_query_that_works(product: Product, tmp_path: Path) -> None:
    orders = tmp_path / "order.csv"
    orders.write_text("id,amount\n1,2.50\n", encoding="ascii")
    sink = f"sqlite://{tmp_path}/orders.db"

    said = product("run", str(orders), "--sink", sink).out.splitlines()

    assert f"in        {sink}" in said
    assert said[-1] == "next      casparian sql 'SELECT * FROM \"order\" LIMIT 10'"
    assert "2.5" in product("sql", 'SELECT * FROM "order" LIMIT 10').out


def test_what_was_rescued_is_said_with_the_query_that_shows_it(product_here: Product, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "sales_1.csv").write_text("id,amount\n1,2.50\n", encoding="ascii")
    product_here.run(str(tmp_path / "in"))
    late = tmp_path / "in" / "sales_2.csv"
    late.write_text("id,amount,note\n2,3.50,hello\n3,4.50,\n", encoding="ascii")

    said = product_here("run", str(tmp_path / "in")).out.splitlines()

    query = "SELECT _cf_source_hash, _cf_source_row, _cf_rescued FROM sales WHERE _cf_rescued IS NOT NULL LIMIT 10"
    assert f'rescued   1 values of sales: casparian sql "{query}"' in said
    assert said[-1] == "next      casparian contract propose A-2"
    about = f'rescued   1 values of sales, of note: casparian sql "{query}"'
    assert about in product_here("why", str(late)).out.splitlines()
    assert about in product_here("jobs", "show", "@last").out.splitlines()
    assert "hello" in product_here("sql", query).out


def test_the_one_value_that_makes_a_column_text_is_named_with_its_file_and_row(
    product_here: Product, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        rows = "".join(f"{number}{row},{'x-7' if (number, row) == (1, 2) else row}\n" for row in range(4))
        (tmp_path / "in" / f"sales_{number}.csv").write_text("id,amount\n" + rows, encoding="ascii")

    said = product_here("run", str(tmp_path / "in")).out.splitlines()

    fields = {field["name"]: field for field in product_here("contract", "show", "sales", "--json").json["fields"]}
    assert (fields["amount"]["type"], fields["id"]["note"]) == ("string", "")
    note = f"would be int64 but for 'x-7' in row 3 of {tmp_path}/in/sales_1.csv"
    assert fields["amount"]["note"] == note
    assert f"note      sales.amount {note}" in said
    assert note in product_here("tables", "sales", "--json").out


def test_empty_columns_do_not_crowd_out_the_value_that_makes_a_column_text(
    product_here: Product, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    rows = "".join(f",,,,,,{'x-7' if row == 2 else row}\n" for row in range(5))
    (tmp_path / "in" / "sales.csv").write_text("a,b,c,d,e,f,amount\n" + rows, encoding="ascii")
    said = [line for line in product_here("run", str(tmp_path / "in")).out.splitlines() if line.startswith("note")]
    assert [line.split()[1] for line in said] == ["sales.amount"]
