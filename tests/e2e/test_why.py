"""`why` answers first and explains after: what a record became, under which contract, and who decided that."""

from __future__ import annotations

from pathlib import Path

from product import ProductHere


def test_the_answer_about_a_record_comes_before_its_history_and_names_what_decided_its_contract(
    product_here: ProductHere, tmp_path: Path
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    good = source / "a.csv"
    good.write_text("id,n\n" + "".join(f"{row},{row}\n" for row in range(1, 21)))
    product_here.run(str(source))
    bad = source / "b.csv"
    bad.write_text("id,n\n1,2\n2,x\n")
    product_here.run(str(bad), "--table", "a")
    lines = product_here("why", f"{bad}:2", expect=(0,)).out.splitlines()
    assert lines[0].startswith("record 2 is in the quarantine of a as row ")
    assert next(line for line in lines if line.startswith("contract")).startswith("contract  a version 1, by C-1")
    draft = product_here("approval", "list", "--json", "--all", expect=(0,)).json["proposals"][0]["id"]
    product_here("contract", "propose", draft, expect=(0, 4))
    product_here("approve", draft, "--reason", "ticket 5512", expect=(0,))
    product_here.run(str(bad), "--table", "a")
    answer = product_here("why", f"{bad}:2", "--json", expect=(0,)).json
    [row], [contract] = answer["rows"], answer["contracts"]
    assert (row["table"], row["contract"], row["values"]["n"]) == ("a", 2, "x")
    assert (contract["proposal"], contract["version"], contract["is_self_approved"]) == (draft, 2, False)
    assert contract["digest"].startswith("blake3:") and len(contract["by"]) == 1
    by_address = product_here("why", row["row"], "--json", expect=(0,)).json
    assert (by_address["record"], by_address["rows"], by_address["contracts"]) == (2, [row], [contract])
    assert product_here("why", "0123456789abcdef:2").code == 5
