"""Contract of calorimeter-shower models: no command line, no network, no plugins."""

from __future__ import annotations

__version__ = "0.1.0"
