/* Showers sampled by flows, layer after layer; see calozoo_convl2lflows. */

#ifndef CALOZOO_FLOWS_H
#define CALOZOO_FLOWS_H

#include "arrays.h"

/* Size that a kernel is given as a whole number. */
typedef struct {
    const char *name;
    Py_ssize_t low, high;
} Size;

/* Read `count` sizes; on failure an exception is set, and -1 is returned. */
int read_sizes(PyObject *const *given, const Size *wanted, int count, Py_ssize_t *sizes);

PyObject *sample_layers(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *fill_cells(PyObject *module, PyObject *const *given, Py_ssize_t count);
PyObject *split_cells(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
