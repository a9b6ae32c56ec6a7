"""Evaluation of generated showers against a reference, and calibration of a model."""
