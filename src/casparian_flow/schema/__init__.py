"""Contracts over Arrow data: types, inference by elimination, validation."""
