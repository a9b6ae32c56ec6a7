"""Clumps: deposits of a layer that touch, tabled from Geant4 and put into voxels of energy.

Geant4's deposits are not independent of each other: a track that crosses a layer at an angle leaves
several side by side. A model that draws the energies of voxels (layer, ring, sector) gets points
with Geant4's own correlations when each voxel is filled with the contents of one of Geant4's.
"""

from calozoo_core.clumps.filling import fill
from calozoo_core.clumps.generator import ClumpsGenerator, ShowersFromCore
from calozoo_core.clumps.library import HaloLibrary, load_library
from calozoo_core.clumps.library_config import HaloLibraryConfig
from calozoo_core.clumps.linking import Clumps, Linking, link_clumps
from calozoo_core.clumps.mesh import VoxelMesh, voxel_energies
from calozoo_core.clumps.table import ClumpTable, load_table
from calozoo_core.clumps.table_config import ClumpTableConfig

__all__ = [
    "ClumpTable",
    "ClumpTableConfig",
    "Clumps",
    "ClumpsGenerator",
    "HaloLibrary",
    "HaloLibraryConfig",
    "Linking",
    "ShowersFromCore",
    "VoxelMesh",
    "fill",
    "link_clumps",
    "load_library",
    "load_table",
    "voxel_energies",
]
