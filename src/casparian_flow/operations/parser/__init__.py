"""Operations on parsers and their options."""
