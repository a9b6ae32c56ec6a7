/* Convolution of images with windows of 3 x 3; see calozoo_core.nn.numpy_convolution. */

#include <string.h>

#include "convolution.h"
#include "lanes.h"

/* Weights come in blocks of so many outputs, filled up with zeros. */
enum { OUTPUTS_AT_ONCE = 16 };

/* Pixels whose sums stay in registers. */
enum { PIXELS = 6 };

typedef struct {
    Py_ssize_t height, width, inputs, outputs;
} Sizes;

#if HAS_LANES
#include "lanes_avx2.h"

#include "convolution_loops.h"

#include "lanes_end.h"

#include "lanes_avx512.h"

#include "convolution_loops.h"

#include "lanes_end.h"
#endif

static void convolve(const float *padded, const Sizes *sizes, const float *weight,
                     const float *bias, float leak, float *output, int lanes)
{
#if HAS_LANES
    if (lanes == 16)
        convolve_image_avx512(padded, sizes, weight, bias, leak, output);
    else
        convolve_image_avx2(padded, sizes, weight, bias, leak, output);
#endif
}

/* The image between zeros, which are in `padded` already. */
static void pad(float *padded, const float *image, const Sizes *sizes)
{
    Py_ssize_t row = sizes->width * sizes->inputs, padded_row = row + 2 * sizes->inputs;
    for (Py_ssize_t r = 0; r < sizes->height; r++)
        memcpy(padded + (r + 1) * padded_row + sizes->inputs, image + r * row,
               (size_t)row * sizeof(float));
}

enum { IMAGE, WEIGHT, BIAS, OUTPUT, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"image", 'f', 0}, {"weight", 'f', 0}, {"bias", 'f', 0}, {"output", 'f', 1}};

enum { HEIGHT = N_ARRAYS, WIDTH, INPUTS, OUTPUTS, LEAK, IS_PADDED, WIDE, N_ARGUMENTS };

enum { LARGEST = 1 << 15 };

static int read_sizes(PyObject *const *given, Sizes *sizes)
{
    sizes->height = whole_number(given[HEIGHT], "height", 1, LARGEST);
    sizes->width = sizes->height < 0 ? -1 : whole_number(given[WIDTH], "width", 1, LARGEST);
    sizes->inputs = sizes->width < 0 ? -1 : whole_number(given[INPUTS], "inputs", 1, LARGEST);
    sizes->outputs = sizes->inputs < 0 ? -1 : whole_number(given[OUTPUTS], "outputs", 1, LARGEST);
    return sizes->outputs < 0 ? -1 : 0;
}

PyObject *convolve_3x3(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Sizes sizes;
    PyObject *result = NULL;
    float *scratch = NULL;

    if (count != N_ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError, "convolve_3x3 takes 11 arguments.");
        return NULL;
    }
    float leak = (float)PyFloat_AsDouble(given[LEAK]);
    if (PyErr_Occurred())
        return NULL;
    int is_padded = PyObject_IsTrue(given[IS_PADDED]);
    int lanes = is_padded < 0 ? -1 : asked_lanes(given[WIDE]);
    if (lanes < 0 || read_sizes(given, &sizes) < 0 ||
        open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    Py_ssize_t padded = (sizes.height + 2) * (sizes.width + 2) * sizes.inputs;
    Py_ssize_t pixels = sizes.height * sizes.width, bare = pixels * sizes.inputs;
    Py_ssize_t n = arrays[OUTPUT].length / (pixels * sizes.outputs);
    Py_ssize_t blocks = (sizes.outputs + OUTPUTS_AT_ONCE - 1) / OUTPUTS_AT_ONCE;
    Py_ssize_t step = is_padded ? padded : bare;
    if (check_length(&arrays[OUTPUT], &WANTED[OUTPUT], n * pixels * sizes.outputs) < 0 ||
        check_length(&arrays[IMAGE], &WANTED[IMAGE], n * step) < 0 ||
        check_length(&arrays[WEIGHT], &WANTED[WEIGHT],
                     blocks * 9 * sizes.inputs * OUTPUTS_AT_ONCE) < 0 ||
        check_length(&arrays[BIAS], &WANTED[BIAS], blocks * OUTPUTS_AT_ONCE) < 0)
        goto close;
    if (!is_padded) {
        scratch = PyMem_Calloc((size_t)padded, sizeof(float));
        if (scratch == NULL) {
            PyErr_NoMemory();
            goto close;
        }
    }
    const float *image = FLOATS(arrays[IMAGE]);
    float *output = arrays[OUTPUT].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!is_padded)
            pad(scratch, image + i * step, &sizes);
        convolve(is_padded ? image + i * step : scratch, &sizes, FLOATS(arrays[WEIGHT]),
                 FLOATS(arrays[BIAS]), leak, output + i * pixels * sizes.outputs, lanes);
    }
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    PyMem_Free(scratch);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
