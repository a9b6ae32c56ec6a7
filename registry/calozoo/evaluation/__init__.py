"""Evaluation: generated showers against a reference, figure by figure, and calibration."""
