"""Done: operations on rows that no contract lets in, and how they get out."""
