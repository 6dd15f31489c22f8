"""Operations on where rows come from, and why."""
