#include "arrays.h"

static int matches(char type, const Py_buffer *buffer)
{
    const char *format = buffer->format ? buffer->format : "B";
    const uint16_t one = 1;
    char native = *(const uint8_t *)&one ? '<' : '>';
    if (*format == '@' || *format == '=' || *format == native)
        format++;
    if (*format == '\0' || format[1] != '\0')
        return 0;
    switch (type) {
    case 'q': /* which of them has 64 bits depends on the system */
        return (*format == 'q' || *format == 'l') && buffer->itemsize == 8;
    case 'i':
        return (*format == 'i' || *format == 'l') && buffer->itemsize == 4;
    case 'I':
        return (*format == 'I' || *format == 'L') && buffer->itemsize == 4;
    case 'V':
        return *format == 'B' && buffer->itemsize == 1;
    case 'B':
        return (*format == 'B' || *format == '?') && buffer->itemsize == 1;
    default:
        return *format == type;
    }
}

int open_arrays(Array *arrays, const Argument *wanted, PyObject *const *given, int count)
{
    for (int k = 0; k < count; k++) {
        int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (wanted[k].written ? PyBUF_WRITABLE : 0);
        if (PyObject_GetBuffer(given[k], &arrays[k].buffer, flags) < 0) {
            close_arrays(arrays, k);
            return -1;
        }
        if (!matches(wanted[k].type, &arrays[k].buffer)) {
            PyErr_Format(PyExc_TypeError, "%s must hold numbers of type '%c', not '%s'.",
                         wanted[k].name, wanted[k].type,
                         arrays[k].buffer.format ? arrays[k].buffer.format : "B");
            close_arrays(arrays, k + 1);
            return -1;
        }
        uintptr_t width = wanted[k].type == 'V' ? 4 : (uintptr_t)arrays[k].buffer.itemsize;
        if ((uintptr_t)arrays[k].buffer.buf % width) {
            PyErr_Format(PyExc_ValueError, "%s must be aligned.", wanted[k].name);
            close_arrays(arrays, k + 1);
            return -1;
        }
        arrays[k].length = arrays[k].buffer.len / arrays[k].buffer.itemsize;
    }
    return 0;
}

void close_arrays(Array *arrays, int count)
{
    for (int k = 0; k < count; k++)
        PyBuffer_Release(&arrays[k].buffer);
}

PyObject *contradiction(const char *name)
{
    PyErr_Format(PyExc_ValueError, "%s contradicts the other arrays.", name);
    return NULL;
}

int check_length(const Array *array, const Argument *wanted, Py_ssize_t length)
{
    if (array->length == length)
        return 0;
    PyErr_Format(PyExc_ValueError, "%s must have %zd numbers, not %zd.", wanted->name, length,
                 array->length);
    return -1;
}

Py_ssize_t whole_number(PyObject *given, const char *name, Py_ssize_t low, Py_ssize_t high)
{
    Py_ssize_t number = PyLong_AsSsize_t(given);
    if (number == -1 && PyErr_Occurred())
        return -1;
    if (number < low || number > high) {
        PyErr_Format(PyExc_ValueError, "%s must be from %zd to %zd, not %zd.", name, low, high,
                     number);
        return -1;
    }
    return number;
}
