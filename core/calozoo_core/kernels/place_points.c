/* Points of patches, turned and placed about the axes of showers; see calozoo_core.clumps.filling. */

#include <string.h>

#include "filling.h"
#include "voxels.h"

enum { AHEAD = 12 };

static const float GRID_MM = 1.0f / 32;

typedef struct {
    Py_ssize_t n_showers, n_layers, n_rows, n_points, most;
    const int16_t *points; /* x, y and the bits of the energy of each */
    const double *local, *turns, *slopes, *depth;
} Source;

typedef struct {
    float *x, *y, *energy;
    uint8_t *layer;
} Points;

/* A number of 16 bits in 32: 2^112 moves the exponent, of numbers below the normal ones, too. */
static float widened(uint16_t half)
{
    uint32_t bits = (uint32_t)(half & 0x7fff) << 13, sign = (uint32_t)(half & 0x8000) << 16;
    float value;

    memcpy(&value, &bits, 4);
    value *= 5.192296858534827628530496329220096e33f;
    memcpy(&bits, &value, 4);
    bits |= sign;
    if ((half & 0x7c00) == 0x7c00)
        bits |= 0x7f800000;
    memcpy(&value, &bits, 4);
    return value;
}

static void place(const Source *source, const Patch *patch, Points *points, Py_ssize_t at)
{
    /* Divided as 32 bits, which is faster than 64. */
    uint32_t row = (uint32_t)patch->row, n_layers = (uint32_t)source->n_layers;
    uint32_t shower = row / n_layers, layer = row % n_layers;
    Py_ssize_t most = source->most, k = patch->turn & TURN;
    const double *local = source->local + 4 * shower;
    const double *turn = source->turns + ((patch->turn & MIRROR) ? 4 * most : 0);
    float m[4];
    float dx = (float)(source->depth[layer] * source->slopes[2 * shower]);
    float dy = (float)(source->depth[layer] * source->slopes[2 * shower + 1]);
    const int16_t *point = source->points + 3 * (Py_ssize_t)patch->first;
    /* None of what is written lies in what is read. */
    float *restrict x = points->x + at, *restrict y = points->y + at;
    float *restrict deposited = points->energy + at, scale = patch->scale;
    uint8_t *restrict layers = points->layer + at;

    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++)
            m[2 * a + b] = (float)(local[2 * a] * turn[b * most + k] +
                                   local[2 * a + 1] * turn[(2 + b) * most + k]);
    for (int i = 0; i < patch->count; i++, point += 3) {
        float u = (float)point[0] * GRID_MM, v = (float)point[1] * GRID_MM;
        x[i] = m[0] * u + m[1] * v + dx;
        y[i] = m[2] * u + m[3] * v + dy;
        deposited[i] = widened((uint16_t)point[2]) * scale;
        layers[i] = (uint8_t)layer;
    }
}

static int fits(const Source *source, const Patch *patch)
{
    return patch->row >= 0 && patch->row < source->n_rows && (patch->turn & TURN) < source->most &&
           patch->first >= 0 && patch->count >= 0 &&
           patch->first <= source->n_points - patch->count;
}

enum { PATCHES, POINTS, LOCAL, TURNS, SLOPES, DEPTH, X, Y, LAYER, ENERGY, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"patches", 'V', 0}, {"points", 'h', 0}, {"local", 'd', 0}, {"turns", 'd', 0},
    {"slopes", 'd', 0},  {"depth", 'd', 0},  {"x", 'f', 1},     {"y", 'f', 1},
    {"layer", 'B', 1},   {"energy", 'f', 1},
};

PyObject *place_points(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Source source;
    PyObject *result = NULL;

    if (count != N_ARRAYS) {
        PyErr_SetString(PyExc_TypeError, "place_points takes 10 arguments.");
        return NULL;
    }
    if (open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    Py_ssize_t n = arrays[PATCHES].length / (Py_ssize_t)sizeof(Patch), total = arrays[X].length;
    source.n_showers = arrays[LOCAL].length / 4;
    source.n_layers = arrays[DEPTH].length;
    source.n_points = arrays[POINTS].length / 3;
    source.most = arrays[TURNS].length / 8;
    if (check_length(&arrays[PATCHES], &WANTED[PATCHES], n * (Py_ssize_t)sizeof(Patch)) < 0 ||
        check_length(&arrays[LOCAL], &WANTED[LOCAL], 4 * source.n_showers) < 0 ||
        check_length(&arrays[SLOPES], &WANTED[SLOPES], 2 * source.n_showers) < 0 ||
        check_length(&arrays[TURNS], &WANTED[TURNS], 8 * source.most) < 0 ||
        check_length(&arrays[POINTS], &WANTED[POINTS], 3 * source.n_points) < 0 ||
        check_length(&arrays[Y], &WANTED[Y], total) < 0 ||
        check_length(&arrays[LAYER], &WANTED[LAYER], total) < 0 ||
        check_length(&arrays[ENERGY], &WANTED[ENERGY], total) < 0)
        goto close;
    if (source.n_layers < 1 || source.n_layers > 256) {
        contradiction("depth");
        goto close;
    }
    source.n_rows = source.n_showers * source.n_layers;
    source.points = SHORTS(arrays[POINTS]);
    source.local = DOUBLES(arrays[LOCAL]);
    source.turns = DOUBLES(arrays[TURNS]);
    source.slopes = DOUBLES(arrays[SLOPES]);
    source.depth = DOUBLES(arrays[DEPTH]);
    const Patch *patches = arrays[PATCHES].buffer.buf;
    Points points = {arrays[X].buffer.buf, arrays[Y].buffer.buf, arrays[ENERGY].buffer.buf,
                     arrays[LAYER].buffer.buf};
    Py_ssize_t at = 0, i;
    Py_BEGIN_ALLOW_THREADS
    for (i = 0; i < n; i++) {
        if (i + AHEAD < n && fits(&source, patches + i + AHEAD)) {
            PREFETCH(source.points + 3 * (Py_ssize_t)patches[i + AHEAD].first);
        }
        if (!fits(&source, patches + i) || at + patches[i].count > total)
            break;
        place(&source, patches + i, &points, at);
        at += patches[i].count;
    }
    Py_END_ALLOW_THREADS
    if (i < n || at != total)
        contradiction("patches");
    else
        result = Py_NewRef(Py_None);
close:
    close_arrays(arrays, N_ARRAYS);
    return result;
}
