/* Vectors of float32, with products that are added in one rounding; for x86-64 with GCC or Clang.

   A kernel writes its loops once, in a header without a guard, between these macros, and includes
   it for AVX2 and for AVX-512; `widest_lanes` says which of them the processor has. Elements are
   computed alike in both, so both give the same numbers. Elsewhere HAS_LANES is 0, and numpy
   computes what these kernels would. */

#ifndef CALOZOO_LANES_H
#define CALOZOO_LANES_H

#include "arrays.h"

#if defined(__GNUC__) && defined(__x86_64__)
#define HAS_LANES 1
#include <immintrin.h>
#else
#define HAS_LANES 0
#endif

/* Numbers in a vector of this processor: 16, 8, or 0 if there are no such kernels for it. */
int widest_lanes(void);

/* The argument `lanes` of a kernel; else a ValueError, and -1. */
int asked_lanes(PyObject *given);

#endif
