"""Done: operations on plans and runs."""
