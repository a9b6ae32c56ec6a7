/* Points of showers by a network of each point alone; see calozoo_caloclouds3.point_cloud. */

#ifndef CALOZOO_POINTS_H
#define CALOZOO_POINTS_H

#include "arrays.h"

PyObject *sorted_points(PyObject *module, PyObject *const *given, Py_ssize_t count);

#endif
