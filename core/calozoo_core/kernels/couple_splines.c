/* Inverse of a coupling of rational-quadratic splines, with the network that shapes them; see
   calozoo_core.nn.numpy_flow. */

#include <math.h>
#include <string.h>

#include "lanes.h"
#include "products_types.h"
#include "spline.h"

enum { MOST_LAYERS = 8 };

/* Slope of the network's leaky ReLU below zero. */
static const float LEAK = 0.01f;
/* Least width and height of a bin, and least slope. */
static const float LEAST_SIZE = 1e-3f;
/* Added to a raw slope, so that 0 makes a slope of 1. */
static const float RAW_UNIT_SLOPE = 0.539742417f;

/* Sizes and weights: elements that stay, elements that change, and the layers of the network. */
typedef struct {
    Py_ssize_t identity, m, conditions, widest;
    int bins, n_layers;
    float bound;
    Matrix layers[MOST_LAYERS];
    const float *biases[MOST_LAYERS];
} Coupling;

typedef struct {
    float *inputs, *hidden, *hidden_too, *raw;
    float *at, *edge, *height_at, *left, *bottom, *width, *height, *d0, *d1;
    int32_t *bin;
} Scratch;

#if HAS_LANES
#include "lanes_avx2.h"

#include "products.h"

#include "functions.h"

#include "coupling_loops.h"

#include "lanes_end.h"

#include "lanes_avx512.h"

#include "products.h"

#include "functions.h"

#include "coupling_loops.h"

#include "lanes_end.h"
#endif

static void couple_rows(const Coupling *flow, const float *y, const float *condition, Py_ssize_t n,
                        Scratch *scratch, float *x, int lanes)
{
#if HAS_LANES
    if (lanes == 16)
        couple_rows_avx512(flow, y, condition, n, scratch, x);
    else
        couple_rows_avx2(flow, y, condition, n, scratch, x);
#endif
}

static int read_network(Coupling *flow, const Array *widths, const Array *weights)
{
    Reader reader = {FLOATS(*weights), weights->length, 0};
    Py_ssize_t inputs = flow->identity + flow->conditions;

    flow->n_layers = (int)widths->length + 1;
    flow->widest = 0;
    for (int k = 0; k < flow->n_layers; k++) {
        int is_last = k == flow->n_layers - 1;
        Py_ssize_t width = is_last ? filled((3 * flow->bins - 1) * flow->m) : INTS(*widths)[k];
        if (width < COLUMNS || width > 1 << 20 || width % COLUMNS) {
            contradiction("widths");
            return -1;
        }
        flow->layers[k] = read_matrix(&reader, inputs, width);
        flow->biases[k] = read_vector(&reader, width);
        flow->widest = !is_last && width > flow->widest ? width : flow->widest;
        inputs = width;
    }
    if (!reader.is_short && !reader.left)
        return 0;
    contradiction("weights");
    return -1;
}

static float *open_scratch(Scratch *scratch, const Coupling *flow)
{
    Py_ssize_t inputs = flow->identity + flow->conditions, m = flow->m;
    Py_ssize_t raw = flow->layers[flow->n_layers - 1].columns;
    float *memory = PyMem_Calloc(
        (size_t)(ROWS_AT_ONCE * (inputs + 2 * flow->widest + raw) + 10 * m), sizeof(float));

    if (memory == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    scratch->inputs = memory;
    scratch->hidden = scratch->inputs + ROWS_AT_ONCE * inputs;
    scratch->hidden_too = scratch->hidden + ROWS_AT_ONCE * flow->widest;
    scratch->raw = scratch->hidden_too + ROWS_AT_ONCE * flow->widest;
    float *at = scratch->raw + ROWS_AT_ONCE * raw;
    scratch->at = at, scratch->edge = at + m, scratch->height_at = at + 2 * m;
    scratch->left = at + 3 * m, scratch->bottom = at + 4 * m, scratch->width = at + 5 * m;
    scratch->height = at + 6 * m, scratch->d0 = at + 7 * m, scratch->d1 = at + 8 * m;
    scratch->bin = (int32_t *)(at + 9 * m);
    return memory;
}

enum { Y, CONDITION, WEIGHTS, X, WIDTHS, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"y", 'f', 0}, {"condition", 'f', 0}, {"weights", 'f', 0}, {"x", 'f', 1}, {"widths", 'i', 0}};

enum { IDENTITY = N_ARRAYS, DIM, CONDITIONS, BINS, BOUND, WIDE, N_ARGUMENTS };

PyObject *couple_splines(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Coupling flow;
    Scratch scratch;
    PyObject *result = NULL;
    float *memory = NULL;

    if (count != N_ARGUMENTS) {
        PyErr_SetString(PyExc_TypeError, "couple_splines takes 11 arguments.");
        return NULL;
    }
    flow.bound = (float)PyFloat_AsDouble(given[BOUND]);
    if (PyErr_Occurred())
        return NULL;
    int lanes = asked_lanes(given[WIDE]);
    Py_ssize_t dim = lanes < 0 ? -1 : whole_number(given[DIM], "dim", 1, 1 << 16);
    flow.identity = dim < 0 ? -1 : whole_number(given[IDENTITY], "identity", 0, dim - 1);
    flow.conditions =
        flow.identity < 0 ? -1 : whole_number(given[CONDITIONS], "conditions", 0, 1 << 16);
    Py_ssize_t bins = flow.conditions < 0 ? -1 : whole_number(given[BINS], "bins", 2, MOST_BINS);
    if (bins < 0 || open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    flow.bins = (int)bins;
    flow.m = dim - flow.identity;
    Py_ssize_t n = arrays[Y].length / dim;
    if (arrays[WIDTHS].length >= MOST_LAYERS) {
        contradiction("widths");
        goto close;
    }
    if (read_network(&flow, &arrays[WIDTHS], &arrays[WEIGHTS]) < 0 ||
        check_length(&arrays[Y], &WANTED[Y], n * dim) < 0 ||
        check_length(&arrays[CONDITION], &WANTED[CONDITION], n * flow.conditions) < 0 ||
        check_length(&arrays[X], &WANTED[X], n * dim) < 0)
        goto close;
    memory = open_scratch(&scratch, &flow);
    if (memory == NULL)
        goto close;
    float *x = arrays[X].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n; i += ROWS_AT_ONCE)
        couple_rows(&flow, FLOATS(arrays[Y]) + i * dim,
                    FLOATS(arrays[CONDITION]) + i * flow.conditions,
                    n - i < ROWS_AT_ONCE ? n - i : ROWS_AT_ONCE, &scratch, x + i * dim, lanes);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    PyMem_Free(memory);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
