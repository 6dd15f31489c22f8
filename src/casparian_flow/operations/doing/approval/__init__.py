"""Done: operations on what waits for a decision, who decides, and with which key."""
