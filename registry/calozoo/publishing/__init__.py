"""Publishing: weights are validated, get a card, and go to the Hub."""
