/* Sub-cells of cells of showers, sampled by a flow that sees the layers before: a pattern of hits,
   then the energy by breaking a stick. See calozoo_convl2lflows.subcell_sampling, which is the
   reference; here only fractions that are needed are computed. */

#include <math.h>
#include <string.h>

#include "density.h"
#include "flows.h"
#include "lanes.h"
#include "products_types.h"
#include "spline.h"

enum { PREVIOUS_LAYERS = 2, POSITION_FEATURES = 5, GROUPS = 16 };

/* Cells that are split together: their numbers stay in the cache. */
enum { CHUNK = 32 };

static const float FLOOR_MEV = 0.03f;
/* Scale of the logits of fractions. */
static const float MEAN = 0, STD = 2;

/* Fractions of rows, or of sub-cells in their rows. */
typedef struct {
    Matrix first, second, head;
    const float *first_bias, *second_bias, *head_bias;
    Py_ssize_t noise; /* the first number of noise that they take */
    int is_rows;
} Sticks;

/* The flow: sizes, and weights in the order in which they are in the array. */
typedef struct {
    Py_ssize_t layers, cells, split, condition, hidden, step;
    Py_ssize_t features, inputs, noise; /* numbers of a cell */
    int bins;
    float least;
    Matrix of_condition, first, second, pattern;
    const float *position, *first_bias, *second_bias, *pattern_bias;
    Sticks rows, columns;
} SplitFlow;

/* Cells that are split together. */
typedef struct {
    Py_ssize_t number;
    const double *noise;
    int32_t *cell, *which, *pattern, *rows;
    float *energy, *features, *wide, *known, *gathered, *hidden, *hidden_too, *values;
    float *fraction, *rest, *shares, *logs, *energies, *start;
} Chunk;

/* Maps with zeros around: cells of a layer, and sub-cells of the layers before, the nearest first,
   with the places that are filled. */
typedef struct {
    float *coarse, *fine[PREVIOUS_LAYERS], *maps;
    int32_t *filled[PREVIOUS_LAYERS];
    Py_ssize_t number[PREVIOUS_LAYERS];
} Planes;

/* Sub-cells of a shower, as far as they are there; `room` is how many cells may still be split. */
typedef struct {
    Py_ssize_t number, room;
    int64_t *row, *column;
    float *energy;
} SubCells;

#if HAS_LANES
#include "lanes_avx2.h"

#include "products.h"

#include "functions.h"

#include "density_loops.h"

#include "splitting_loops.h"

#include "lanes_end.h"

#include "lanes_avx512.h"

#include "products.h"

#include "functions.h"

#include "density_loops.h"

#include "splitting_loops.h"

#include "lanes_end.h"
#endif

static Py_ssize_t split_layer(const SplitFlow *flow, const float *cells, const float *condition,
                              const double *noise, Chunk *chunk, Planes *planes, SubCells *out,
                              int lanes)
{
#if HAS_LANES
    if (lanes == 16)
        return split_layer_avx512(flow, cells, condition, noise, chunk, planes, out);
    return split_layer_avx2(flow, cells, condition, noise, chunk, planes, out);
#else
    return -1;
#endif
}

static void read_sticks(Sticks *sticks, const SplitFlow *flow, Reader *reader, Py_ssize_t length,
                        Py_ssize_t fractions)
{
    sticks->first = read_matrix(reader, length, fractions * flow->step);
    sticks->first_bias = read_vector(reader, fractions * flow->step);
    sticks->second = read_matrix(reader, flow->step, flow->step);
    sticks->second_bias = read_vector(reader, flow->step);
    sticks->head = read_matrix(reader, flow->step, filled(3 * flow->bins + 1));
    sticks->head_bias = read_vector(reader, sticks->head.columns);
}

static int read_flow(SplitFlow *flow, const Array *weights)
{
    Reader reader = {FLOATS(*weights), weights->length, 0};
    Py_ssize_t split = flow->split, members = split * split, hidden = flow->hidden;

    flow->features = 9 + PREVIOUS_LAYERS * (split + 2) * (split + 2) + POSITION_FEATURES;
    flow->inputs = hidden + members + split;
    flow->noise = 1 + (split - 1) * (split + 1);
    flow->position = read_vector(&reader, flow->cells * flow->cells * POSITION_FEATURES);
    flow->of_condition = read_matrix(&reader, flow->condition, hidden);
    flow->first = read_matrix(&reader, flow->features, hidden);
    flow->first_bias = read_vector(&reader, hidden);
    flow->second = read_matrix(&reader, hidden, hidden);
    flow->second_bias = read_vector(&reader, hidden);
    flow->pattern = read_matrix(&reader, hidden, filled(((Py_ssize_t)1 << members) - 1));
    flow->pattern_bias = read_vector(&reader, flow->pattern.columns);
    read_sticks(&flow->rows, flow, &reader, hidden + members, split - 1);
    read_sticks(&flow->columns, flow, &reader, flow->inputs, split * (split - 1));
    flow->rows.noise = 1, flow->rows.is_rows = 1;
    flow->columns.noise = split, flow->columns.is_rows = 0;
    if (!reader.is_short && !reader.left)
        return 0;
    contradiction("weights");
    return -1;
}

static char *open_scratch(Chunk *chunk, Planes *planes, const SplitFlow *flow)
{
    Py_ssize_t split = flow->split, members = split * split, side = flow->cells + 2;
    Py_ssize_t fine_side = flow->cells * split + 2, most = flow->cells * flow->cells * members;
    Py_ssize_t step = flow->step > flow->rows.head.columns ? flow->step : flow->rows.head.columns;
    Py_ssize_t wide = flow->hidden > flow->pattern.columns ? flow->hidden : flow->pattern.columns;
    Py_ssize_t per_cell = 1 + flow->features + wide + 2 * flow->inputs + 2 * step + 3 + 2 * split +
                          members;
    Py_ssize_t floats = CHUNK * per_cell + flow->hidden + side * side +
                        PREVIOUS_LAYERS * fine_side * fine_side + most;
    Py_ssize_t whole = 4 * CHUNK + PREVIOUS_LAYERS * most;
    char *memory = PyMem_Calloc((size_t)floats * sizeof(float) + (size_t)whole * sizeof(int32_t), 1);

    if (memory == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    float *at = (float *)memory;
#define TAKE(name, length) (name = at, at += (length))
    TAKE(chunk->energy, CHUNK);
    TAKE(chunk->features, CHUNK * flow->features);
    TAKE(chunk->wide, CHUNK * wide);
    TAKE(chunk->known, CHUNK * flow->inputs);
    TAKE(chunk->gathered, CHUNK * flow->inputs);
    TAKE(chunk->hidden, CHUNK * step);
    TAKE(chunk->hidden_too, CHUNK * step);
    TAKE(chunk->values, CHUNK);
    TAKE(chunk->fraction, CHUNK);
    TAKE(chunk->rest, CHUNK);
    TAKE(chunk->shares, CHUNK * split);
    TAKE(chunk->logs, CHUNK * split);
    TAKE(chunk->energies, CHUNK * members);
    TAKE(chunk->start, flow->hidden);
    TAKE(planes->coarse, side * side);
    for (int back = 0; back < PREVIOUS_LAYERS; back++)
        TAKE(planes->fine[back], fine_side * fine_side);
    TAKE(planes->maps, most);
#undef TAKE
    int32_t *place = (int32_t *)at;
    chunk->cell = place, chunk->which = place + CHUNK, chunk->pattern = place + 2 * CHUNK;
    chunk->rows = place + 3 * CHUNK;
    for (int back = 0; back < PREVIOUS_LAYERS; back++)
        planes->filled[back] = place + 4 * CHUNK + back * most;
    return memory;
}

/* Empty the maps, for the next shower. */
static void clear(Planes *planes)
{
    for (int back = 0; back < PREVIOUS_LAYERS; back++) {
        for (Py_ssize_t k = 0; k < planes->number[back]; k++)
            planes->fine[back][planes->filled[back][k]] = 0;
        planes->number[back] = 0;
    }
}

enum {
    CELLS,
    NOISE,
    COUNTS,
    CONDITIONS,
    WEIGHTS,
    NUMBERS,
    ROW,
    COLUMN,
    ENERGY,
    N_ARRAYS
};

static const Argument WANTED[N_ARRAYS] = {
    {"cells", 'f', 0},   {"noise", 'd', 0},   {"counts", 'q', 0}, {"conditions", 'f', 0},
    {"weights", 'f', 0}, {"numbers", 'q', 1}, {"row", 'q', 1},    {"column", 'q', 1},
    {"energy", 'f', 1}};

enum { N_SIZES = 7 };

static const Size SIZES[N_SIZES] = {
    {"layers", 1, 256},    {"cells", 2, 128},  {"split", 2, 3},  {"condition", 1, 1024},
    {"hidden", 32, 1024}, {"step", 32, 1024}, {"bins", 2, 64}};

/* Split the cells of all showers; -1 if there is not as much noise or room as they need. */
static int split_showers(const SplitFlow *flow, const Array *arrays, Py_ssize_t n, Chunk *chunk,
                         Planes *planes, int lanes)
{
    Py_ssize_t size = flow->cells * flow->cells, room = arrays[NOISE].length / flow->noise;
    const double *noise = DOUBLES(arrays[NOISE]);
    int64_t *numbers = arrays[NUMBERS].buffer.buf;
    SubCells out = {0, 0, arrays[ROW].buffer.buf, arrays[COLUMN].buffer.buf,
                    arrays[ENERGY].buffer.buf};

    for (Py_ssize_t i = 0; i < n; i++) {
        out.room = LONGS(arrays[COUNTS])[i];
        if (out.room < 0 || out.room > room)
            return -1;
        room -= out.room;
        clear(planes);
        for (Py_ssize_t layer = 0; layer < flow->layers; layer++) {
            Py_ssize_t row = i * flow->layers + layer, before = out.number;
            Py_ssize_t done = split_layer(flow, FLOATS(arrays[CELLS]) + row * size,
                                          FLOATS(arrays[CONDITIONS]) + row * flow->condition,
                                          noise, chunk, planes, &out, lanes);
            if (done < 0)
                return -1;
            out.room -= done;
            noise += done * flow->noise;
            numbers[row] = out.number - before;
        }
        if (out.room)
            return -1;
    }
    return 0;
}

PyObject *split_cells(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Py_ssize_t sizes[N_SIZES];
    SplitFlow flow;
    Chunk chunk;
    Planes planes = {0};
    PyObject *result = NULL;
    char *memory = NULL;
    int failed;

    if (count != N_ARRAYS + N_SIZES + 2) {
        PyErr_SetString(PyExc_TypeError, "split_cells takes 18 arguments.");
        return NULL;
    }
    flow.least = (float)PyFloat_AsDouble(given[N_ARRAYS + N_SIZES]);
    if (PyErr_Occurred())
        return NULL;
    int lanes = asked_lanes(given[N_ARRAYS + N_SIZES + 1]);
    if (lanes < 0 || read_sizes(given + N_ARRAYS, SIZES, N_SIZES, sizes) < 0 ||
        open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    flow.layers = sizes[0], flow.cells = sizes[1], flow.split = sizes[2];
    flow.condition = sizes[3], flow.hidden = sizes[4], flow.step = sizes[5];
    flow.bins = (int)sizes[6];
    if (flow.hidden % COLUMNS || flow.step % COLUMNS) {
        contradiction("hidden");
        goto close;
    }
    Py_ssize_t n = arrays[COUNTS].length, members = flow.split * flow.split;
    Py_ssize_t rows = n * flow.layers, size = flow.cells * flow.cells;
    if (read_flow(&flow, &arrays[WEIGHTS]) < 0)
        goto close;
    Py_ssize_t total = arrays[NOISE].length / flow.noise;
    if (check_length(&arrays[CELLS], &WANTED[CELLS], rows * size) < 0 ||
        check_length(&arrays[NOISE], &WANTED[NOISE], total * flow.noise) < 0 ||
        check_length(&arrays[CONDITIONS], &WANTED[CONDITIONS], rows * flow.condition) < 0 ||
        check_length(&arrays[NUMBERS], &WANTED[NUMBERS], rows) < 0 ||
        check_length(&arrays[ROW], &WANTED[ROW], total * members) < 0 ||
        check_length(&arrays[COLUMN], &WANTED[COLUMN], total * members) < 0 ||
        check_length(&arrays[ENERGY], &WANTED[ENERGY], total * members) < 0)
        goto close;
    memory = open_scratch(&chunk, &planes, &flow);
    if (memory == NULL)
        goto close;
    Py_BEGIN_ALLOW_THREADS
    failed = split_showers(&flow, arrays, n, &chunk, &planes, lanes);
    Py_END_ALLOW_THREADS
    if (failed)
        contradiction("counts");
    else
        result = Py_NewRef(Py_None);
close:
    PyMem_Free(memory);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
