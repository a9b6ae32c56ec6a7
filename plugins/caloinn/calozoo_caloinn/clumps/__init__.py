"""CaloINN on clumps: flows for the core of a shower, a library for its halo and its azimuth."""
