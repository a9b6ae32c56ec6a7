"""Measures how fast, how big and how good a model is: the numbers its card is made of."""
