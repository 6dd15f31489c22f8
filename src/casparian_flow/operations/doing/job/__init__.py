"""Done: operations on jobs, one file and one parser each."""
