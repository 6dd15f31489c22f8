"""Operations on reading again without keeping: backtests and replays."""
