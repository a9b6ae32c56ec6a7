"""Physics benchmarks: photon pairs, and pi0 of tau decays, reconstructed."""
