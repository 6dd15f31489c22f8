"""Polluted delimited files go through the whole product without an option, and come out as what they say."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from casparian_flow.core.outputs import Role
from product import Product
from unseen_delimited import KINDS, Maker, Unseen, make_all
