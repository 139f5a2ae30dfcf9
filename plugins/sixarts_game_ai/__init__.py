"""Games: the best move of a board game by search, and agents that learned to act."""
