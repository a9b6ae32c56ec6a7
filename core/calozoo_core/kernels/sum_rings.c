/* Energies of the innermost rings of showers of points; see calozoo_core.clumps.generator. */

#include <math.h>

#include "rings.h"

/* Ring of a radius, and as many as there are beyond the last.

   Radii that are less than 1e-12 of themselves away from an edge are compared as hypot rounds them,
   others by their squares, which is several times faster and gives the same. */
static Py_ssize_t ring_of(double x, double y, const double *edges, Py_ssize_t rings)
{
    double square = x * x + y * y;
    Py_ssize_t low = 0, high = 0;

    for (Py_ssize_t k = 0; k < rings; k++) {
        double edge = edges[k] * edges[k];
        low += !(square < edge * (1 - 1e-12));
        high += !(square < edge * (1 + 1e-12));
    }
    if (low == high)
        return low;
    double radius = hypot(x, y);
    low = 0;
    while (low < rings && !(radius < edges[low]))
        low++;
    return low;
}

enum { OFFSETS, X, Y, LAYER, ENERGY, DIRECTION, DEPTH, EDGES, SUMS, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"offsets", 'q', 0}, {"x", 'f', 0},         {"y", 'f', 0},
    {"layer", 'B', 0},   {"energy", 'f', 0},    {"direction", 'd', 0},
    {"depth", 'd', 0},   {"edges", 'd', 0},     {"sums", 'd', 1}};

PyObject *sum_rings(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    PyObject *result = NULL;
    int failed = 0;

    if (count != N_ARRAYS) {
        PyErr_SetString(PyExc_TypeError, "sum_rings takes 9 arguments.");
        return NULL;
    }
    if (open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    Py_ssize_t n = arrays[OFFSETS].length - 1, points = arrays[X].length;
    Py_ssize_t n_layers = arrays[DEPTH].length, rings = arrays[EDGES].length;
    if (check_length(&arrays[Y], &WANTED[Y], points) < 0 ||
        check_length(&arrays[LAYER], &WANTED[LAYER], points) < 0 ||
        check_length(&arrays[ENERGY], &WANTED[ENERGY], points) < 0 ||
        check_length(&arrays[DIRECTION], &WANTED[DIRECTION], 3 * n) < 0 ||
        check_length(&arrays[SUMS], &WANTED[SUMS], n * n_layers * rings) < 0)
        goto close;
    const int64_t *offsets = LONGS(arrays[OFFSETS]);
    const float *x = FLOATS(arrays[X]), *y = FLOATS(arrays[Y]), *energy = FLOATS(arrays[ENERGY]);
    const uint8_t *layer = BYTES(arrays[LAYER]);
    const double *depth = DOUBLES(arrays[DEPTH]), *edges = DOUBLES(arrays[EDGES]);
    double *sums = arrays[SUMS].buffer.buf;
    /* More than the rounding of a radius away from the last edge. */
    double beyond = rings > 0 ? edges[rings - 1] * (1 + 1e-9) : 0;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n * n_layers * rings; i++)
        sums[i] = 0;
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        const double *p = DOUBLES(arrays[DIRECTION]) + 3 * i;
        double slope_x = p[0] / p[2], slope_y = p[1] / p[2];
        if (offsets[i] < 0 || offsets[i + 1] < offsets[i] || offsets[i + 1] > points) {
            failed = 1;
            break;
        }
        for (int64_t k = offsets[i]; k < offsets[i + 1]; k++) {
            if (layer[k] >= n_layers) {
                failed = 1;
                break;
            }
            double own_x = (double)x[k] - depth[layer[k]] * slope_x;
            double own_y = (double)y[k] - depth[layer[k]] * slope_y;
            double shorter = (own_x * p[0] + own_y * p[1]) / (1 + p[2]);
            own_x -= shorter * p[0];
            own_y -= shorter * p[1];
            if (fabs(own_x) > beyond || fabs(own_y) > beyond)
                continue;
            Py_ssize_t ring = ring_of(own_x, own_y, edges, rings);
            if (ring < rings)
                sums[(i * n_layers + layer[k]) * rings + ring] += (double)energy[k];
        }
    }
    Py_END_ALLOW_THREADS
    if (failed)
        contradiction("offsets");
    else
        result = Py_NewRef(Py_None);
close:
    close_arrays(arrays, N_ARRAYS);
    return result;
}
