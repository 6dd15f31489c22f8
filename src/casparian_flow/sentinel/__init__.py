"""Decides: plan, queue, dispatch, commit, recover. The single authority for every change of state."""
