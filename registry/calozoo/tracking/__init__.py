"""Records of trainings on a server, and weights from its registry of models."""
