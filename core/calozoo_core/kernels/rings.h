/* Energies of the innermost rings of showers of points. */

#ifndef CALOZOO_RINGS_H
#define CALOZOO_RINGS_H

#include "arrays.h"

PyObject *sum_rings(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
