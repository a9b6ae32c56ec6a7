"""Tail correction: fitting, validation, report and picture."""
