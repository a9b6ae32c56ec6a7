/* Sums in the order in which numpy adds, so that they are rounded alike. */

#ifndef CALOZOO_SUMS_H
#define CALOZOO_SUMS_H

#include "arrays.h"

/* Sum of n neighbouring numbers, at most 128 of them, as numpy.sum has it. */
float pairwise_sum(const float *values, Py_ssize_t n);

/* Sum of n numbers, n at least 1, as numpy.add.reduceat has it. */
float ring_sum(const float *values, Py_ssize_t n);

#endif
