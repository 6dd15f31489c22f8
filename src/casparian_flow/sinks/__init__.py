"""Where tables land: stage, seal, promote."""
