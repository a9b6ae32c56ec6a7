/* Mesh of voxels, as arrays of Python hold it: cells of a layer, and the rings they are in. */

#ifndef CALOZOO_MESH_H
#define CALOZOO_MESH_H

#include "arrays.h"

#define MOST_SECTORS 64
#define MOST_RINGS 64
#define MOST_CELLS (MOST_RINGS * MOST_SECTORS)

typedef struct {
    Py_ssize_t n_cells, n_rings;
    /* Cells beside each cell; the number of cells stands for none. */
    const int32_t *before, *after, *inner, *inner_too, *outer, *outer_too;
    const int32_t *ring, *mirror; /* of each cell */
    const int32_t *start, *sectors; /* of each ring: its first cell, and their number */
    int32_t most; /* sectors of the ring that has the most */
} Mesh;

/* Mesh of two arrays, int32: `cells` of shape (8, n_cells), in the order of the struct, and `rings`
   of shape (2, n_rings). Every number is checked: no other can lead outside of an array. */
int read_mesh(Mesh *mesh, const Array *cells, const Array *rings);

#endif
