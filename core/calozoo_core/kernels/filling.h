/* Filling of voxels with the points of Geant4 voxels; see calozoo_core.clumps.filling. */

#ifndef CALOZOO_FILLING_H
#define CALOZOO_FILLING_H

#include "arrays.h"

PyObject *find_voxels(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *draw_patches(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *random_bytes(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *place_points(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
