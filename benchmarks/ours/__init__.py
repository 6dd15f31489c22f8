"""What the product does between its commands, as programs that a benchmark starts."""
