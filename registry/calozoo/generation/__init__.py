"""Generation: from the request of a user to a file of showers."""
