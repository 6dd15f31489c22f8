"""Operations on contracts of tables, and how they change."""
