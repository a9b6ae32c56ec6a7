"""Weights: config.json and model.safetensors, checked before they are used. Never pickle."""

from calozoo_core.weights.files import (
    CONFIG_FILE,
    TENSORS_FILE,
    WEIGHT_FILES,
    read_arrays,
    read_config,
    read_tensors,
    sha256,
    write_config,
    write_weights,
)

__all__ = [
    "CONFIG_FILE",
    "TENSORS_FILE",
    "WEIGHT_FILES",
    "read_arrays",
    "read_config",
    "read_tensors",
    "sha256",
    "write_config",
    "write_weights",
]
