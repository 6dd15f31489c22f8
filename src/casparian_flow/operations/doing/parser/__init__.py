"""Done: operations on parsers and their options."""
