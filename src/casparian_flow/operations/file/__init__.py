"""Operations on the files that a home knows."""
