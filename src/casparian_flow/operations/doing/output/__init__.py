"""Done: operations on tables, the sinks that hold them, and the topics that join both."""
