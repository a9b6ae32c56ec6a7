/* Points of showers, of noise through a network, sorted by depth into layers. */

#include <string.h>

#include "lanes.h"
#include "points.h"
#include "pointwise_net.h"

enum { FEATURES = 4, DEPTH = 2 };

/* Memory for one shower of so many points. */
typedef struct {
    float *features;
    uint32_t *key, *other_key;
    int32_t *point, *other_point;
    uint8_t *layer;
} Memory;

/* Number that is sorted as a float32 is. */
static uint32_t sortable(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

/* Order that sorts points by depth, equal ones by their numbers: three passes of a radix sort. */
static const int32_t *depth_order(const float *depth, Py_ssize_t points, Memory *memory)
{
    static const int SHIFT[3] = {0, 11, 22};
    int32_t starts[3][1 << 11] = {{0}};
    uint32_t *key = memory->key, *other_key = memory->other_key;
    int32_t *point = memory->point, *other_point = memory->other_point;

    for (Py_ssize_t i = 0; i < points; i++) {
        key[i] = sortable(depth[i]);
        point[i] = (int32_t)i;
        for (int pass = 0; pass < 3; pass++)
            starts[pass][key[i] >> SHIFT[pass] & 0x7FF]++;
    }
    for (int pass = 0; pass < 3; pass++) {
        int32_t *start = starts[pass], before = 0;
        for (int k = 0; k < 1 << 11; k++) {
            int32_t own = start[k];
            start[k] = before;
            before += own;
        }
        for (Py_ssize_t i = 0; i < points; i++) {
            int32_t at = start[key[i] >> SHIFT[pass] & 0x7FF]++;
            other_key[at] = key[i];
            other_point[at] = point[i];
        }
        uint32_t *swapped_key = key;
        int32_t *swapped_point = point;
        key = other_key;
        other_key = swapped_key;
        point = other_point;
        other_point = swapped_point;
    }
    return point;
}

/* Features of the points of a shower by layer, and in the order of their noise within each.

   counts: points of each layer, as many as there are. raw: where the shower's first goes, rows of
   `total` numbers. */
static void by_layer(const int64_t *counts, Py_ssize_t n_layers, Py_ssize_t points, Memory *memory,
                     float *raw, Py_ssize_t total)
{
    const int32_t *order = depth_order(memory->features + DEPTH * points, points, memory);
    Py_ssize_t next[256], at = 0;

    for (Py_ssize_t layer = 0; layer < n_layers; layer++) {
        next[layer] = at;
        for (int64_t k = 0; k < counts[layer]; k++)
            memory->layer[order[at++]] = (uint8_t)layer;
    }
    for (Py_ssize_t i = 0; i < points; i++) {
        Py_ssize_t place = next[memory->layer[i]]++;
        for (int k = 0; k < FEATURES; k++)
            raw[k * total + place] = memory->features[k * points + i];
    }
}

static int allocate(Memory *memory, Py_ssize_t points)
{
    size_t n = (size_t)points + 1;
    char *block = PyMem_Malloc(n * (FEATURES * sizeof(float) + 4 * sizeof(uint32_t) + 1));
    if (block == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    memory->features = (float *)block;
    memory->key = (uint32_t *)(memory->features + FEATURES * n);
    memory->other_key = memory->key + n;
    memory->point = (int32_t *)(memory->other_key + n);
    memory->other_point = memory->point + n;
    memory->layer = (uint8_t *)(memory->other_point + n);
    return 0;
}

/* Largest number of points of a shower; -1 if the counts of points do not add up. */
static Py_ssize_t most_points(const int64_t *offsets, const int64_t *counts, Py_ssize_t n,
                              Py_ssize_t n_layers, Py_ssize_t total)
{
    Py_ssize_t most = 0;

    if (offsets[0] != 0 || offsets[n] != total)
        return -1;
    for (Py_ssize_t i = 0; i < n; i++) {
        int64_t left = offsets[i + 1] - offsets[i];
        if (left < 0 || left > total || left > INT32_MAX)
            return -1;
        if (left > most)
            most = (Py_ssize_t)left;
        for (Py_ssize_t k = 0; k < n_layers; k++) {
            if (counts[i * n_layers + k] < 0 || counts[i * n_layers + k] > left)
                return -1;
            left -= counts[i * n_layers + k];
        }
        if (left != 0)
            return -1;
    }
    return most;
}

/* The network of each shower: weights of one layer after the other, of all showers each. */
static int read_net(Net *net, const Array *widths, const Argument *wanted, const Array *weights,
                    const Argument *wanted_weights, Py_ssize_t n)
{
    const int64_t *own = LONGS(*widths);
    Py_ssize_t length = 0;

    if (widths->length < 2 || widths->length > MOST_LAYERS + 1)
        return contradiction(wanted->name) == NULL ? -1 : 0;
    net->n_layers = (int)widths->length - 1;
    for (int k = 0; k <= net->n_layers; k++) {
        int is_end = k == 0 || k == net->n_layers;
        if (own[k] < 1 || own[k] > MOST_WIDTH || (is_end && own[k] != FEATURES))
            return contradiction(wanted->name) == NULL ? -1 : 0;
        net->widths[k] = (int)own[k];
    }
    for (int k = 0; k < net->n_layers; k++)
        length += n * net->widths[k + 1] * (net->widths[k] + 1);
    return check_length(weights, wanted_weights, length);
}

static void point_to_weights(Net *net, const float *weights, Py_ssize_t shower, Py_ssize_t n)
{
    for (int k = 0; k < net->n_layers; k++) {
        Py_ssize_t size = net->widths[k + 1] * (net->widths[k] + 1);
        net->weights[k] = weights + shower * size;
        weights += n * size;
    }
}

enum { OFFSETS, COUNTS, NOISE, WIDTHS, WEIGHTS, RAW, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {{"offsets", 'q', 0}, {"counts", 'q', 0},
                                          {"noise", 'f', 0},   {"widths", 'q', 0},
                                          {"weights", 'f', 0}, {"raw", 'f', 1}};

PyObject *sorted_points(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Net net;
    Memory memory = {0};
    PyObject *result = NULL;

    if (count != N_ARRAYS + 3) {
        PyErr_SetString(PyExc_TypeError, "sorted_points takes 9 arguments.");
        return NULL;
    }
    net.leak = (float)PyFloat_AsDouble(given[N_ARRAYS]);
    net.skip = PyErr_Occurred() ? 0 : (float)PyFloat_AsDouble(given[N_ARRAYS + 1]);
    int lanes = PyErr_Occurred() ? -1 : asked_lanes(given[N_ARRAYS + 2]);
    if (lanes < 0 || open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    Py_ssize_t n = arrays[OFFSETS].length - 1, total = arrays[RAW].length / FEATURES;
    Py_ssize_t n_layers = n > 0 ? arrays[COUNTS].length / n : 0;
    if (n < 0 || n_layers > 256) {
        contradiction("counts");
        goto close;
    }
    if (check_length(&arrays[RAW], &WANTED[RAW], FEATURES * total) < 0 ||
        check_length(&arrays[NOISE], &WANTED[NOISE], FEATURES * total) < 0 ||
        check_length(&arrays[COUNTS], &WANTED[COUNTS], n * n_layers) < 0 ||
        read_net(&net, &arrays[WIDTHS], &WANTED[WIDTHS], &arrays[WEIGHTS], &WANTED[WEIGHTS], n) < 0)
        goto close;
    const int64_t *offsets = LONGS(arrays[OFFSETS]), *counts = LONGS(arrays[COUNTS]);
    Py_ssize_t most = most_points(offsets, counts, n, n_layers, total);
    if (most < 0) {
        contradiction("offsets");
        goto close;
    }
    if (allocate(&memory, most) < 0)
        goto close;
    float *raw = arrays[RAW].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_ssize_t first = (Py_ssize_t)offsets[i], points = (Py_ssize_t)offsets[i + 1] - first;
        point_to_weights(&net, FLOATS(arrays[WEIGHTS]), i, n);
        evaluate_net(&net, FLOATS(arrays[NOISE]) + FEATURES * first, memory.features, points,
                     lanes);
        by_layer(counts + i * n_layers, n_layers, points, &memory, raw + first, total);
    }
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    PyMem_Free(memory.features);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
