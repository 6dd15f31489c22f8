"""Done: operations on the home itself: settings, cases, health, help."""
