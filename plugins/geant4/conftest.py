"""What pytest leaves alone here."""

# Geant4 belongs in worker processes: it takes over a process's output and may abort it.
collect_ignore = [
    f"calozoo_geant4/{name}.py"
    for name in ("_timed", "geant4", "geometry", "materials", "physics", "simulation")
]
