"""The process of a sentinel: what starts in it, what it hears from outside, and how it ends."""
