"""CaloDREAM on the voxels of the CaloChallenge."""
