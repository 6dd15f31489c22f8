"""Bytes between processes: what sentinel and worker say to each other."""
