"""Cards and the leaderboard: measurements as Markdown, beside the values of the literature."""
