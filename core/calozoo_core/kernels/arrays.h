/* Arrays of Python seen from C: contiguous buffers of a known type, whose length is checked. */

#ifndef CALOZOO_ARRAYS_H
#define CALOZOO_ARRAYS_H

#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030B0000
#endif
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>

/* What a kernel asks of an argument.

   type: f float32, d float64, e float16 (as uint16), b int8, B uint8 or bool, h int16, H uint16, i int32,
   I uint32, q int64, V bytes that hold records of numbers of 32 bits. */
typedef struct {
    const char *name;
    char type;
    int written;
} Argument;

typedef struct {
    Py_buffer buffer;
    Py_ssize_t length;
} Array;

/* Open `count` arrays; on failure all are closed, an exception is set, and -1 is returned. */
int open_arrays(Array *arrays, const Argument *wanted, PyObject *const *given, int count);

void close_arrays(Array *arrays, int count);

/* Set a ValueError that names an argument which contradicts the others; returns NULL. */
PyObject *contradiction(const char *name);

/* Length of an array must be so many; else a ValueError, and -1. */
int check_length(const Array *array, const Argument *wanted, Py_ssize_t length);

/* Whole number from `low` to `high`; else a ValueError, and -1 with an exception set. */
Py_ssize_t whole_number(PyObject *given, const char *name, Py_ssize_t low, Py_ssize_t high);

#define FLOATS(array) ((const float *)(array).buffer.buf)
#define DOUBLES(array) ((const double *)(array).buffer.buf)
#define BYTES(array) ((const uint8_t *)(array).buffer.buf)
#define SHORTS(array) ((const int16_t *)(array).buffer.buf)
#define INTS(array) ((const int32_t *)(array).buffer.buf)
#define KEYS(array) ((const uint32_t *)(array).buffer.buf)
#define LONGS(array) ((const int64_t *)(array).buffer.buf)

#if defined(__GNUC__)
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)0)
#endif

#endif
