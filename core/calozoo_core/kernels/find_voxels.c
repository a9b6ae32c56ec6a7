/* Filled voxels of showers, and what is around them; see calozoo_core.clumps.neighbourhood. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "filling.h"
#include "mesh.h"
#include "sums.h"
#include "voxels.h"

enum { SURROUNDED = 11, MOST_PARTS = 16, N_RATIOS = 2, N_SHARES = 4 };

static const float RATIOS[N_RATIOS] = {1.5f, 3.3f};
static const float SHARES[N_SHARES] = {0.4f, 0.75f, 1.2f, 2.0f};

typedef struct {
    Mesh mesh;
    Py_ssize_t n_rows, n_layers, n_classes, primaries, kinds, exact_rings;
    float exact_mev;
    const float *energies, *most;
    const int64_t *base;
} Request;

typedef struct {
    Voxel *voxels;
    Py_ssize_t count, capacity;
} Found;

enum { DONE = 0, NO_MEMORY, NOT_FINITE, NO_CLASS };

/* Add a voxel `parts` times, each with as small a part of its energy. */
static int add(Found *found, Voxel voxel, int parts)
{
    if (found->count + parts > found->capacity) {
        Py_ssize_t capacity = 2 * found->capacity + MOST_PARTS;
        Voxel *more = realloc(found->voxels, (size_t)capacity * sizeof(Voxel));
        if (!more)
            return NO_MEMORY;
        found->voxels = more;
        found->capacity = capacity;
    }
    if (parts > 1)
        voxel.energy /= (float)parts;
    for (int k = 0; k < parts; k++)
        found->voxels[found->count++] = voxel;
    return DONE;
}

/* Class of what is around a cell that has all neighbours; sets the flags of its sides. */
static int surrounded(const Mesh *mesh, const float *row, Py_ssize_t cell, float mean,
                      uint8_t *flags)
{
    float left = row[mesh->before[cell]], right = row[mesh->after[cell]], own = row[cell];
    float more = left > right ? left : right, less = left > right ? right : left;
    int ratio = 0, share = 0;

    for (int k = 0; k < N_RATIOS; k++)
        ratio += more > less * RATIOS[k];
    for (int k = 0; k < N_SHARES; k++)
        share += own > mean * SHARES[k];
    *flags = (right > left && ratio > 0 ? IS_MIRRORED : 0) | (ratio == 0 ? IS_SYMMETRIC : 0);
    return SURROUNDED + ratio * (N_SHARES + 1) + share;
}

static int find_in_row(const Request *request, Py_ssize_t row, Found *found)
{
    const Mesh *mesh = &request->mesh;
    Py_ssize_t n = mesh->n_cells, count = 0, of_mean = -1;
    const float *energies = request->energies + row * n;
    float values[MOST_CELLS], mean = 0;
    uint8_t filled[MOST_CELLS + 1];
    uint16_t cells[MOST_CELLS];

    for (Py_ssize_t i = 0; i < n; i++) {
        filled[i] = energies[i] > 0;
        values[i] = filled[i] ? energies[i] : 0;
    }
    filled[n] = 0;
    /* Without a branch: which cells are filled cannot be predicted. */
    for (Py_ssize_t i = 0; i < n; i++) {
        cells[count] = (uint16_t)i;
        count += filled[i];
    }
    for (Py_ssize_t k = 0; k < count; k++) {
        Py_ssize_t i = cells[k], ring = mesh->ring[i];
        if (!isfinite(values[i]))
            return NOT_FINITE;
        int before = filled[mesh->before[i]], after = filled[mesh->after[i]];
        int inner = filled[mesh->inner[i]] | filled[mesh->inner_too[i]];
        int outer = filled[mesh->outer[i]] | filled[mesh->outer_too[i]];
        int kind = (before + after) * 4 + inner * 2 + outer;
        uint8_t flags = (after && !before ? IS_MIRRORED : 0) | (before == after ? IS_SYMMETRIC : 0);
        if (kind == SURROUNDED) {
            if (of_mean != ring) {
                mean = ring_sum(values + mesh->start[ring], mesh->sectors[ring]) /
                       (float)mesh->sectors[ring];
                of_mean = ring;
            }
            kind = surrounded(mesh, values, i, mean, &flags);
        }
        int64_t number = (request->base[row] + ring * request->primaries) * request->kinds + kind;
        if (number < 0 || number >= request->n_classes)
            return NO_CLASS;
        int parts = 1;
        if (ring < request->exact_rings || values[i] > request->exact_mev)
            flags |= IS_EXACT;
        if (ring >= request->exact_rings && values[i] > request->most[number]) {
            float share = ceilf(values[i] / request->most[number]);
            parts = share > MOST_PARTS ? MOST_PARTS : share > 1 ? (int)share : 1;
        }
        Voxel voxel = {values[i], (int32_t)row, (int32_t)number, (uint16_t)i, flags, 0};
        int failed = add(found, voxel, parts);
        if (failed)
            return failed;
    }
    return DONE;
}

static PyObject *columns(const Found *found)
{
    Py_ssize_t n = found->count;
    PyObject *energy = PyBytes_FromStringAndSize(NULL, n * (Py_ssize_t)sizeof(float));
    PyObject *voxels = NULL;

    if (energy) {
        float *values = (float *)PyBytes_AsString(energy);
        for (Py_ssize_t i = 0; i < n; i++)
            values[i] = found->voxels[i].energy;
        voxels = PyBytes_FromStringAndSize((const char *)found->voxels,
                                           n * (Py_ssize_t)sizeof(Voxel));
    }
    if (!voxels) {
        Py_XDECREF(energy);
        return NULL;
    }
    return Py_BuildValue("(NN)", voxels, energy);
}

enum { ENERGIES, BASE, MOST, CELLS, RINGS, COUNTS, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"energies", 'f', 0}, {"base", 'q', 0},  {"most", 'f', 0},
    {"cells", 'i', 0},    {"rings", 'i', 0}, {"counts", 'q', 1},
};

PyObject *find_voxels(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Request request;
    Found found = {NULL, 0, 0};
    PyObject *result = NULL;
    int failed = DONE;

    if (count != N_ARRAYS + 4) {
        PyErr_SetString(PyExc_TypeError, "find_voxels takes 10 arguments.");
        return NULL;
    }
    request.primaries = whole_number(given[N_ARRAYS], "primaries", 1, 1 << 20);
    request.kinds = whole_number(given[N_ARRAYS + 1], "kinds", SURROUNDED + 15, 1 << 20);
    request.exact_rings = whole_number(given[N_ARRAYS + 2], "exact_rings", 0, 1 << 20);
    request.exact_mev = (float)PyFloat_AsDouble(given[N_ARRAYS + 3]);
    if (PyErr_Occurred() || open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    if (read_mesh(&request.mesh, &arrays[CELLS], &arrays[RINGS]) < 0)
        goto close;
    request.n_rows = arrays[BASE].length;
    request.n_classes = arrays[MOST].length;
    request.energies = FLOATS(arrays[ENERGIES]);
    request.base = LONGS(arrays[BASE]);
    request.most = FLOATS(arrays[MOST]);
    Py_ssize_t n = arrays[COUNTS].length;
    request.n_layers = n ? request.n_rows / n : 1;
    if (n * request.n_layers != request.n_rows || request.n_rows > INT32_MAX) {
        contradiction("counts");
        goto close;
    }
    if (check_length(&arrays[ENERGIES], &WANTED[ENERGIES],
                     request.n_rows * request.mesh.n_cells) < 0)
        goto close;
    int64_t *counts = arrays[COUNTS].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0, row = 0; i < n && !failed; i++) {
        Py_ssize_t before = found.count;
        for (Py_ssize_t layer = 0; layer < request.n_layers && !failed; layer++, row++)
            failed = find_in_row(&request, row, &found);
        counts[i] = found.count - before;
    }
    Py_END_ALLOW_THREADS
    if (failed == NO_MEMORY)
        PyErr_NoMemory();
    else if (failed == NOT_FINITE)
        PyErr_SetString(PyExc_FloatingPointError, "The energies of voxels must be finite.");
    else if (failed == NO_CLASS)
        contradiction("base");
    else
        result = columns(&found);
close:
    free(found.voxels);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
