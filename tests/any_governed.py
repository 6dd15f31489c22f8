"""Hypothesis strategies for contracts, changes of them, and what is known about a change."""

from __future__ import annotations

from hypothesis import strategies as st

from any_body import TEXT, of
from casparian_flow.core.amendments import Op
from casparian_flow.core.contracts import Contract, ContractColumn, Origin
from casparian_flow.core.proofs import Empirical, Evidence, Impact, Terms, Verdicts, text_of
from casparian_flow.core.proposal_bodies import Body, body_text
from casparian_flow.core.proposals import Kind, Risk

PLAIN_COLUMNS = st.builds(
    ContractColumn,
    TEXT,
    st.sampled_from(["int64", "string", "date"]),
    st.booleans(),
    st.none() | TEXT,
    TEXT,
    st.sampled_from(["public", "internal"]),
    st.none() | TEXT,
    TEXT,
)
PLAIN_CONTRACTS = st.builds(
    Contract,
    TEXT,
    st.integers(1, 9),
    st.lists(PLAIN_COLUMNS, max_size=3).map(tuple),
    st.booleans(),
    st.sampled_from(Origin),
)
"""Contracts as the first release had them."""
CONTRACTS = of(Contract)
OPERATIONS = of(Op)
BODIES = of(Body)
EVIDENCE = st.lists(of(Evidence), max_size=4)
TERMS = st.builds(
    Terms,
    home=TEXT,
    proposal=st.integers(1, 1000),
    round=st.integers(1, 9),
    kind=st.sampled_from(Kind),
    base_digest=TEXT,
    body=BODIES.map(body_text),
    evidence_digest=TEXT,
    verdicts=st.none() | of(Verdicts).map(text_of),
    empirical=st.none() | of(Empirical).map(text_of),
    impact=st.none() | of(Impact).map(text_of),
    risk=st.sampled_from(Risk),
)
