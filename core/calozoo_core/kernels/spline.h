/* Inverse of monotone splines; see calozoo_core.nn.numpy_spline. */

#ifndef CALOZOO_SPLINE_H
#define CALOZOO_SPLINE_H

#include "arrays.h"

enum { MOST_BINS = 128, N_BIN = 4 };

/* Find the bin of one value.

   sizes: exponentials of the raw widths, then heights, of the bins, `stride` apart.
   slopes: raw slopes at the inner knots, `stride` apart.
   bin, knots: where the N_BIN numbers of the bin and its two raw slopes go, `out` apart. */
void find_bin(const float *sizes, const float *slopes, Py_ssize_t stride, int bins, float bound,
              float y, float *bin, float *knots, uint8_t *ends, Py_ssize_t out);

/* Inverse of a spline at a value, from its bin and the two slopes there. */
float invert_bin(const float *bin, const float *slopes, uint8_t ends, Py_ssize_t out, float bound,
                 float y);

PyObject *spline_bins(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *spline_inverse(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *couple_splines(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
