"""Modules that pytest does not import: Geant4 belongs in a process of its own."""

collect_ignore = ["geant4/single_loop.py", "geant4/single_timing.py"]
