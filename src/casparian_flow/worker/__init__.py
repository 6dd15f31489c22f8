"""Runs one job, from order to receipt; keeps no state and cannot reach the store."""
