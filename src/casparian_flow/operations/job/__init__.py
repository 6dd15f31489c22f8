"""Operations on jobs, one file and one parser each."""
