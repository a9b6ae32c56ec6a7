"""Generation: from what a user asks for to a file of showers."""
