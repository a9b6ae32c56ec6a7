/* Cells of the layers of showers, sampled by a flow that sees the layers before: convolutions, then
   four couplings of every second cell along each axis. See calozoo_convl2lflows.cell_sampling,
   which is the reference; here cells without energy cost nothing as inputs. */

#include <math.h>
#include <string.h>

#include "density.h"
#include "flows.h"
#include "lanes.h"
#include "products_types.h"
#include "spline.h"

enum { PHASES = 4 };

/* Couplings of a block of 2 x 2 cells: two diagonal cells, then the others. */
static const int ORDER[PHASES] = {0, 3, 1, 2};

/* Slope of the leaky ReLU below zero. */
static const float SLOPE = 0.1f;
/* Energy below which the logarithmic map of a deposit is nearly linear, and bounds of the map. */
static const float FLOOR_MEV = 0.03f, LEAST_VALUE = 0.03f, LARGEST_VALUE = 8.5f;
/* Scale of logarithmic deposits. */
static const float MEAN = 2.2f, STD = 1.2f;

/* The flow: sizes, and weights in the order in which they are in the array. */
typedef struct {
    Py_ssize_t layers, half, previous, maps, width, hidden;
    int bins;
    const float *map_values, *first, *first_bias, *second_bias, *third_bias;
    Matrix second, third, spread[PHASES], last[PHASES], at_hit, head;
    const float *near, *left, *last_bias, *logit, *logit_bias, *at_hit_bias, *head_bias;
} CellFlow;

/* Cells of a layer that are hit: where, in which coupling, and with how much energy. */
typedef struct {
    Py_ssize_t number;
    int32_t *place;
    uint8_t *phase;
    float *map, *energy;
} Hits;

/* What the flow is given of one layer. */
typedef struct {
    Py_ssize_t number;
    float energy;
    const double *noise;
    const float *mix, *gate, *left;
} Layer;

typedef struct {
    void *memory;
    Hits *hits; /* of the layers before, and of this one */
    float *padded, *padded_too, *features, *rows, *rows_too, *hidden, *at_hit;
    float *excess, *logits, *values, *start, *zeros;
} Scratch;

#if HAS_LANES
#include "lanes_avx2.h"

#include "products.h"

#include "functions.h"

#include "density_loops.h"

#include "cells_loops.h"

#include "lanes_end.h"

#include "lanes_avx512.h"

#include "products.h"

#include "functions.h"

#include "density_loops.h"

#include "cells_loops.h"

#include "lanes_end.h"
#endif

static void fill_layer(const CellFlow *flow, const Layer *layer, Scratch *scratch, float *cells,
                       int lanes)
{
#if HAS_LANES
    if (lanes == 16)
        fill_layer_avx512(flow, layer, scratch, cells);
    else
        fill_layer_avx2(flow, layer, scratch, cells);
#endif
}

static int read_flow(CellFlow *flow, Py_ssize_t at_hit, const Array *weights)
{
    Reader reader = {FLOATS(*weights), weights->length, 0};
    Py_ssize_t width = flow->width, hidden = flow->hidden;

    flow->map_values = read_vector(&reader, flow->half * flow->half * flow->maps);
    flow->first = read_vector(&reader, flow->previous * PHASES * 9 * width);
    flow->first_bias = read_vector(&reader, width);
    flow->second = read_matrix(&reader, 9 * width, width);
    flow->second_bias = read_vector(&reader, width);
    flow->third = read_matrix(&reader, 9 * width, width);
    flow->third_bias = read_vector(&reader, width);
    for (int phase = 0; phase < PHASES; phase++)
        flow->spread[phase] = read_matrix(&reader, width, hidden);
    flow->near = read_vector(&reader, PHASES * PHASES * 9 * hidden);
    flow->left = read_vector(&reader, PHASES * 2 * hidden);
    for (int phase = 0; phase < PHASES; phase++)
        flow->last[phase] = read_matrix(&reader, hidden, hidden);
    flow->last_bias = read_vector(&reader, PHASES * hidden);
    flow->logit = read_vector(&reader, PHASES * hidden);
    flow->logit_bias = read_vector(&reader, PHASES);
    flow->at_hit = read_matrix(&reader, hidden, at_hit);
    flow->at_hit_bias = read_vector(&reader, at_hit);
    flow->head = read_matrix(&reader, at_hit, filled(3 * flow->bins + 1));
    flow->head_bias = read_vector(&reader, flow->head.columns);
    if (!reader.is_short && !reader.left)
        return 0;
    contradiction("weights");
    return -1;
}

static int open_scratch(Scratch *scratch, const CellFlow *flow)
{
    Py_ssize_t places = flow->half * flow->half, n = flow->previous + 1, most = PHASES * places;
    Py_ssize_t padded = (flow->half + 2) * (flow->half + 2) * flow->width;
    Py_ssize_t wide = flow->width > flow->hidden ? flow->width : flow->hidden;
    wide = wide > flow->head.columns ? wide : flow->head.columns;
    Py_ssize_t floats = 2 * padded + places * (flow->width + 2 * wide + flow->hidden +
                                               flow->at_hit.columns + PHASES + 2) + 2 * wide;
    size_t size = (size_t)n * sizeof(Hits) + (size_t)floats * sizeof(float) +
                  (size_t)(n * most) * (sizeof(int32_t) + 2 * sizeof(float) + 1);
    char *memory = PyMem_Calloc(size, 1);

    if (memory == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    scratch->memory = memory;
    scratch->hits = (Hits *)memory;
    float *at = (float *)(scratch->hits + n);
#define TAKE(name, length) (scratch->name = at, at += (length))
    TAKE(padded, padded);
    TAKE(padded_too, padded);
    TAKE(features, places * flow->width);
    TAKE(rows, places * wide);
    TAKE(rows_too, places * wide);
    TAKE(hidden, places * flow->hidden);
    TAKE(at_hit, places * flow->at_hit.columns);
    TAKE(excess, places * PHASES);
    TAKE(logits, places);
    TAKE(values, places);
    TAKE(start, wide);
    TAKE(zeros, wide);
#undef TAKE
    for (Py_ssize_t i = 0; i < n; i++, at += most)
        scratch->hits[i].map = at;
    for (Py_ssize_t i = 0; i < n; i++, at += most)
        scratch->hits[i].energy = at;
    int32_t *place = (int32_t *)at;
    for (Py_ssize_t i = 0; i < n; i++, place += most)
        scratch->hits[i].place = place;
    uint8_t *phase = (uint8_t *)place;
    for (Py_ssize_t i = 0; i < n; i++, phase += most)
        scratch->hits[i].phase = phase;
    return 0;
}

enum { NOISE, ENERGY, MIX, GATE, LEFT, WEIGHTS, CELLS, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"noise", 'd', 0}, {"energy", 'f', 0},  {"mix", 'f', 0},  {"gate", 'f', 0},
    {"left", 'f', 0},  {"weights", 'f', 0}, {"cells", 'f', 1}};

enum { N_SIZES = 8 };

static const Size SIZES[N_SIZES] = {
    {"layers", 1, 256},  {"half", 1, 64},     {"previous", 1, 256}, {"maps", 1, 1024},
    {"width", 32, 1024}, {"hidden", 32, 1024}, {"at_hit", 32, 1024}, {"bins", 2, 64}};

static int check_lengths(const Array *arrays, const CellFlow *flow, Py_ssize_t n)
{
    Py_ssize_t rows = n * flow->layers, places = flow->half * flow->half;
    const Py_ssize_t wanted[N_ARRAYS] = {rows * PHASES * places, rows,
                                         rows * flow->maps * flow->width, rows * flow->width,
                                         rows * PHASES * flow->hidden, arrays[WEIGHTS].length,
                                         rows * PHASES * places};
    for (int k = 0; k < N_ARRAYS; k++)
        if (check_length(&arrays[k], &WANTED[k], wanted[k]) < 0)
            return -1;
    return 0;
}

PyObject *fill_cells(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Py_ssize_t sizes[N_SIZES];
    CellFlow flow;
    Scratch scratch = {0};
    PyObject *result = NULL;

    if (count != N_ARRAYS + N_SIZES + 1) {
        PyErr_SetString(PyExc_TypeError, "fill_cells takes 16 arguments.");
        return NULL;
    }
    int lanes = asked_lanes(given[N_ARRAYS + N_SIZES]);
    if (lanes < 0 || read_sizes(given + N_ARRAYS, SIZES, N_SIZES, sizes) < 0 ||
        open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    flow.layers = sizes[0], flow.half = sizes[1], flow.previous = sizes[2], flow.maps = sizes[3];
    flow.width = sizes[4], flow.hidden = sizes[5], flow.bins = (int)sizes[7];
    Py_ssize_t places = flow.half * flow.half, n = arrays[ENERGY].length / flow.layers;
    if (flow.width % COLUMNS || flow.hidden % COLUMNS || sizes[6] % COLUMNS) {
        contradiction("width");
        goto close;
    }
    if (read_flow(&flow, sizes[6], &arrays[WEIGHTS]) < 0 || check_lengths(arrays, &flow, n) < 0 ||
        open_scratch(&scratch, &flow) < 0)
        goto close;
    float *cells = arrays[CELLS].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    memset(cells, 0, (size_t)arrays[CELLS].buffer.len);
    for (Py_ssize_t i = 0; i < n; i++)
        for (Py_ssize_t number = 0; number < flow.layers; number++) {
            Py_ssize_t row = i * flow.layers + number;
            Layer layer = {number,
                           FLOATS(arrays[ENERGY])[row],
                           DOUBLES(arrays[NOISE]) + row * PHASES * places,
                           FLOATS(arrays[MIX]) + row * flow.maps * flow.width,
                           FLOATS(arrays[GATE]) + row * flow.width,
                           FLOATS(arrays[LEFT]) + row * PHASES * flow.hidden};
            fill_layer(&flow, &layer, &scratch, cells + row * PHASES * places, lanes);
        }
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    PyMem_Free(scratch.memory);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
