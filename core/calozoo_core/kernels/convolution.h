/* Convolutions of images; see calozoo_core.nn.numpy_convolution. */

#ifndef CALOZOO_CONVOLUTION_H
#define CALOZOO_CONVOLUTION_H

#include "arrays.h"

PyObject *convolve_3x3(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
