/* Library of showers as voxels; see calozoo_core.clumps.library. */

#ifndef CALOZOO_LIBRARY_H
#define CALOZOO_LIBRARY_H

#include "arrays.h"

PyObject *nearest_showers(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *match_layers(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *voxels_around(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
