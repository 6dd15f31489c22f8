"""The crash matrix: what a disk can do to a run at each of its steps, and what the next run makes of it."""
