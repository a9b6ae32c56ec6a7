/* Random bytes of many numpy generators, as Generator.bytes draws them one generator a call. */

#include <stdint.h>

#include "filling.h"

/* What the attribute `capsule` of a numpy bit generator holds (numpy/random/bitgen.h). */
typedef struct {
    void *state;
    uint64_t (*next_uint64)(void *state);
    uint32_t (*next_uint32)(void *state);
    double (*next_double)(void *state);
    uint64_t (*next_raw)(void *state);
} BitGenerator;

/* Words of 32 bits, the lowest byte first; of the last one as many bytes as are left. numpy draws
   a word for no bytes, too. */
static void draw(const BitGenerator *generator, uint8_t *out, int64_t count)
{
    int64_t i = 0;
    do {
        uint32_t word = generator->next_uint32(generator->state);
        for (int64_t stop = i + 4 < count ? i + 4 : count; i < stop; i++, word >>= 8)
            out[i] = (uint8_t)word;
    } while (i < count);
}

enum { COUNTS, OUT, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {{"counts", 'q', 0}, {"out", 'B', 1}};

PyObject *random_bytes(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    PyObject *result = NULL;

    if (count != N_ARRAYS + 1 || !PyTuple_Check(given[0])) {
        PyErr_SetString(PyExc_TypeError, "random_bytes takes a tuple of bit generators and 2 arrays.");
        return NULL;
    }
    if (open_arrays(arrays, WANTED, given + 1, N_ARRAYS) < 0)
        return NULL;
    const int64_t *counts = LONGS(arrays[COUNTS]);
    uint8_t *out = arrays[OUT].buffer.buf;
    int64_t left = arrays[OUT].length;
    Py_ssize_t n = arrays[COUNTS].length, i;
    if (PyTuple_Size(given[0]) != n) {
        contradiction("generators");
        goto close;
    }
    for (i = 0; i < n; i++) {
        /* The bit generator owns what its capsule points to, and the tuple the bit generator. */
        PyObject *capsule = PyObject_GetAttrString(PyTuple_GetItem(given[0], i), "capsule");
        if (!capsule)
            goto close;
        BitGenerator *generator = PyCapsule_GetPointer(capsule, "BitGenerator");
        Py_DecRef(capsule);
        if (!generator)
            goto close;
        if (counts[i] < 0 || counts[i] > left)
            break;
        draw(generator, out, counts[i]);
        out += counts[i];
        left -= counts[i];
    }
    if (i < n || left)
        contradiction("counts");
    else
        result = Py_NewRef(Py_None);
close:
    close_arrays(arrays, N_ARRAYS);
    return result;
}
