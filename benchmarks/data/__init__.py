"""What the benchmarks read: made from seeds, the same bytes every time."""
