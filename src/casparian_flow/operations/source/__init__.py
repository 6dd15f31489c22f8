"""Operations on folders that a home looks into, and what it makes of what it finds."""
