"""What a parser author imports. Standard library only, and nothing of the host."""

from casparian_flow.sdk.columns import Column, Rule
from casparian_flow.sdk.emit import Rejected, Rows, Verdict
from casparian_flow.sdk.errors import PermanentError, TransientError
from casparian_flow.sdk.manifest import PluginMetadata
from casparian_flow.sdk.parser import BasePlugin, Context, FileEvent, Span

__all__ = [
    "BasePlugin",
    "Column",
    "Context",
    "FileEvent",
    "PermanentError",
    "PluginMetadata",
    "Rejected",
    "Rows",
    "Rule",
    "Span",
    "TransientError",
    "Verdict",
]
