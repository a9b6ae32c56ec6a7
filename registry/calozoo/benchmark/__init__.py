"""Benchmark of models: speed, memory, size and fidelity, the numbers of a card."""
