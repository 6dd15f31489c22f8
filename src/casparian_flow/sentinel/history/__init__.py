"""What was committed, and how it is undone, merged or erased by one more commit."""
