"""What the front ends read: joins over the whole control database, one module per noun, never a change."""
