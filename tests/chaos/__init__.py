"""Real processes under a seeded killer: what they leave is what an undisturbed run leaves."""
