"""Done: operations on where rows come from, and why."""
