"""What a person can read about the product without it: topics, and the long form of every code."""
