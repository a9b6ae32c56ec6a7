"""What pytest leaves alone here."""

# Geant4 belongs in worker processes: it takes over a process's output and may abort it.
collect_ignore = ["calozoo_geant4/simulation.py"]
