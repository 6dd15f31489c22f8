"""Operations on plans and runs."""
