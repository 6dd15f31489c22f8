"""Changes of what is governed: drafted from drift, decided by persons or policies, applied by one function."""
