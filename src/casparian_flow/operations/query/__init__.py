"""Operations on questions to the tables, and copies of the answers."""
