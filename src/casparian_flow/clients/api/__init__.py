"""The product from Python: `casparian_flow.read` for one file, `casparian_flow.open` for a home."""
