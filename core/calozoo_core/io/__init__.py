"""Shower files, in and out."""

from calozoo_core.io.hdf5 import ShowerFile, ShowerWriter, read_showers, write_showers

__all__ = ["ShowerFile", "ShowerWriter", "read_showers", "write_showers"]
