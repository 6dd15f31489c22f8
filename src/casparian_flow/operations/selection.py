"""What a person points at: folders and files, made into sources, scanned and selected."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from casparian_flow.core.errors import NotFound, UsageError
from casparian_flow.operations.context import Acting
from casparian_flow.scout.content import sniff
from casparian_flow.scout.inventory import ScanReport, scan
from casparian_flow.scout.tagger import TagReport, tag
from casparian_flow.sentinel.world import Selection
from casparian_flow.store import files as file_store
