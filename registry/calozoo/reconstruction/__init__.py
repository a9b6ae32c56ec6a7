"""Reconstruction of photons and pi0 from the hits of events: calozoo's photon finder."""
