"""Every id is its own type."""

from __future__ import annotations

import random
import secrets
from typing import NewType

SourceId = NewType("SourceId", int)
LocationId = NewType("LocationId", int)
VersionId = NewType("VersionId", int)
JobId = NewType("JobId", int)
PlanId = NewType("PlanId", int)
ContractId = NewType("ContractId", int)

SourceHash = NewType("SourceHash", str)
"""`blake3:` and 64 hex digits: the bytes that the parser read."""
ArtifactHash = NewType("ArtifactHash", str)
EnvHash = NewType("EnvHash", str)
ContractHash = NewType("ContractHash", str)
ConfigHash = NewType("ConfigHash", str)
TargetKey = NewType("TargetKey", str)
MaterializationKey = NewType("MaterializationKey", str)

_RANDOM_BITS = 21


def new_time_ordered_id(now_ns: int) -> int:
    """A positive 63-bit id: milliseconds since 1970 above, 21 random bits below; later calls sort later."""
    return (now_ns // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)


def time_ordered_ids(now_ns: int, count: int) -> list[int]:
    """So many different ones at once, ascending, so that things keep the order in which they are given them."""
    first = (now_ns // 1_000_000) << _RANDOM_BITS
    room = max(1 << _RANDOM_BITS, 2 * count)  # more than fit into a millisecond reach into the next
    chance = random.Random(secrets.randbits(64))  # noqa: S311 - nobody has to be kept from guessing them
    return sorted(chance.sample(range(first, first + room), count))
