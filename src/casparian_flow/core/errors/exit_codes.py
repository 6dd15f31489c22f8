"""What the exit codes of a command say."""

from __future__ import annotations

EXIT_CODES = {
    0: "Done; nothing is in the way.",
    1: "It failed; the error says why.",
    2: "The request itself is wrong: an option, a setting, a URI.",
    3: "Finished, but rows were quarantined or files failed.",
    4: "A person must approve first.",
    5: "Nothing of that name exists.",
    6: "Another process holds the home, or no sentinel answers; trying again later can help.",
    7: "Something does not match its digest or its contract.",
    8: "Aborted.",
    9: "The parser's environment is not available here.",
    130: "Stopped by the keyboard (Ctrl-C) or by SIGTERM.",
    141: "The reader of the output went away.",
}
"""What the exit code of a command says. Codes about files are about those of this run only."""
