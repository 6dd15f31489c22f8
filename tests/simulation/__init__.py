"""Sentinel and workers, their real rules on a real store, in a world of faults that one seed decides."""
