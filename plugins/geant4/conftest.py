"""Modules that pytest does not import here.

Geant4 takes over the output of the process that imports it and may abort it, so these modules are
imported in worker processes only.
"""

collect_ignore = [
    f"calozoo_geant4/{name}.py"
    for name in ("calorimeter_face", "event_simulation", "geometry", "pybind", "simulation")
]
