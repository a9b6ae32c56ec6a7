/* Inverse of monotone splines; see calozoo_core.nn.numpy_spline. */

#ifndef CALOZOO_SPLINE_H
#define CALOZOO_SPLINE_H

#include "arrays.h"

PyObject *spline_bins(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *spline_inverse(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
