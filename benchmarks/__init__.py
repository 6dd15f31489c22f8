"""What the product costs, beside what others cost, measured in the same run."""
