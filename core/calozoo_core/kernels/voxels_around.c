/* Voxels of whole showers about given cores: a library's layers, their rings scaled to the core's,
   and what is beyond by given factors. */

#include <stdlib.h>
#include <string.h>

#include "library.h"
#include "mesh.h"
#include "sums.h"

enum { N_STEPS = 6 };

/* Neighbouring layers that a ring takes its division from, where the library's own is empty. */
static const int STEPS[N_STEPS] = {1, -1, 2, -2, 3, -3};

typedef struct {
    Mesh mesh;
    Py_ssize_t n_showers, n_layers, core_rings, n_entries;
    const int32_t *first;
    const uint8_t *step, *level;
    const float *energy; /* of each level */
} Library;

/* Write the voxels of a layer of the library into zeros, those beyond the core times a factor; -1
   for a damaged library. */
static int decode(const Library *library, int64_t number, Py_ssize_t layer, float factor,
                  float *voxels)
{
    Py_ssize_t cells = library->mesh.n_cells, cell = -1;
    Py_ssize_t beyond = library->core_rings < library->mesh.n_rings
                            ? library->mesh.start[library->core_rings]
                            : cells;
    Py_ssize_t row = (Py_ssize_t)(number % library->n_showers) * library->n_layers + layer;
    const int32_t *mirror = number >= library->n_showers ? library->mesh.mirror : NULL;
    Py_ssize_t entry = library->first[row], stop = library->first[row + 1];

    if (entry < 0 || stop < entry || stop > library->n_entries)
        return -1;
    for (; entry < stop; entry++) {
        cell += library->step[entry];
        if (cell < 0 || cell >= cells)
            return -1;
        if (library->level[entry])
            voxels[mirror ? mirror[cell] : cell] =
                library->energy[library->level[entry]] * (cell < beyond ? 1.0f : factor);
    }
    return 0;
}

/* Ask for a layer that is decoded later: each is elsewhere in the memory. */
static void ask_for(const Library *library, int64_t number, Py_ssize_t layer)
{
    Py_ssize_t entry;

    if (number < 0 || number >= 2 * library->n_showers)
        return;
    entry = library->first[(Py_ssize_t)(number % library->n_showers) * library->n_layers + layer];
    if (entry < 0 || entry >= library->n_entries)
        return;
    PREFETCH(library->step + entry);
    PREFETCH(library->level + entry);
}

static int holds_any(const float *values, Py_ssize_t n)
{
    int any = 0;
    for (Py_ssize_t i = 0; i < n; i++)
        any |= values[i] != 0;
    return any;
}

/* Divide a ring that is empty in the library as that of a layer nearby; returns its sum. */
static float borrow(const Library *library, const float *own, float *voxels, Py_ssize_t layer,
                    Py_ssize_t ring, double coin)
{
    Py_ssize_t cells = library->mesh.n_cells, start = library->mesh.start[ring];
    Py_ssize_t sectors = library->mesh.sectors[ring];
    float *there = voxels + layer * cells + start;

    for (int k = 0; k < N_STEPS; k++) {
        Py_ssize_t near = layer + STEPS[k];
        if (near < 0 || near >= library->n_layers)
            continue;
        if (holds_any(own + near * cells + start, sectors)) {
            memcpy(there, own + near * cells + start, (size_t)sectors * sizeof(float));
            return ring_sum(there, sectors);
        }
    }
    Py_ssize_t sector = (Py_ssize_t)(coin * (double)sectors);
    there[sector < 0 ? 0 : sector < sectors ? sector : sectors - 1] = 1;
    return ring_sum(there, sectors);
}

/* Give the rings of the core their energies; `own` has room for the voxels of a shower. */
static void scale(const Library *library, const float *core, double coin, float *voxels, float *own)
{
    Py_ssize_t cells = library->mesh.n_cells, rings = library->core_rings;
    int is_copied = 0;

    /* What is missing is known before anything is scaled or borrowed. */
    for (Py_ssize_t layer = 0; layer < library->n_layers; layer++)
        for (Py_ssize_t ring = 0; ring < rings; ring++) {
            Py_ssize_t start = library->mesh.start[ring], sectors = library->mesh.sectors[ring];
            if (!(core[layer * rings + ring] > 0) ||
                holds_any(voxels + layer * cells + start, sectors))
                continue;
            if (!is_copied) {
                size_t size = (size_t)(library->n_layers * cells) * sizeof(float);
                memcpy(own, voxels, size);
                is_copied = 1;
            }
            (void)borrow(library, own, voxels, layer, ring, coin);
        }
    for (Py_ssize_t layer = 0; layer < library->n_layers; layer++)
        for (Py_ssize_t ring = 0; ring < rings; ring++) {
            Py_ssize_t sectors = library->mesh.sectors[ring];
            float *there = voxels + layer * cells + library->mesh.start[ring];
            float sum = ring_sum(there, sectors);
            float factor = sum > 0 ? core[layer * rings + ring] / sum : 0;
            for (Py_ssize_t i = 0; i < sectors; i++)
                there[i] *= factor;
        }
}

enum {
    NUMBERS, CORE, COIN, FACTORS, FIRST, STEP, LEVEL, LEVEL_ENERGY, CELLS, RINGS, VOXELS, N_ARRAYS
};

static const Argument WANTED[N_ARRAYS] = {
    {"numbers", 'q', 0}, {"core", 'f', 0}, {"coin", 'd', 0},  {"factors", 'f', 0},
    {"first", 'i', 0},   {"step", 'B', 0}, {"level", 'B', 0}, {"level_energy", 'f', 0},
    {"cells", 'i', 0},   {"rings", 'i', 0}, {"voxels", 'f', 1}};

PyObject *voxels_around(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Library library;
    PyObject *result = NULL;
    float *own = NULL;
    int failed = 0;

    if (count != N_ARRAYS + 2) {
        PyErr_SetString(PyExc_TypeError, "voxels_around takes 13 arguments.");
        return NULL;
    }
    library.n_layers = whole_number(given[N_ARRAYS], "n_layers", 1, 1 << 16);
    library.core_rings = whole_number(given[N_ARRAYS + 1], "core_rings", 1, 1 << 16);
    if (PyErr_Occurred() || open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    if (read_mesh(&library.mesh, &arrays[CELLS], &arrays[RINGS]) < 0)
        goto close;
    Py_ssize_t n = arrays[COIN].length, size = library.n_layers * library.mesh.n_cells;
    library.n_showers = (arrays[FIRST].length - 1) / library.n_layers;
    library.n_entries = arrays[STEP].length;
    if (library.core_rings > library.mesh.n_rings || library.n_showers < 1) {
        contradiction("core_rings");
        goto close;
    }
    if (check_length(&arrays[CORE], &WANTED[CORE], n * library.n_layers * library.core_rings) < 0 ||
        check_length(&arrays[NUMBERS], &WANTED[NUMBERS], n * library.n_layers) < 0 ||
        check_length(&arrays[FACTORS], &WANTED[FACTORS], n * library.n_layers) < 0 ||
        check_length(&arrays[FIRST], &WANTED[FIRST], library.n_showers * library.n_layers + 1) < 0 ||
        check_length(&arrays[LEVEL], &WANTED[LEVEL], library.n_entries) < 0 ||
        check_length(&arrays[LEVEL_ENERGY], &WANTED[LEVEL_ENERGY], 256) < 0 ||
        check_length(&arrays[VOXELS], &WANTED[VOXELS], n * size) < 0)
        goto close;
    library.first = INTS(arrays[FIRST]);
    library.step = BYTES(arrays[STEP]);
    library.level = BYTES(arrays[LEVEL]);
    library.energy = FLOATS(arrays[LEVEL_ENERGY]);
    own = malloc((size_t)size * sizeof(float));
    if (!own) {
        PyErr_NoMemory();
        goto close;
    }
    float *voxels = arrays[VOXELS].buffer.buf;
    const int64_t *numbers = LONGS(arrays[NUMBERS]);
    const float *factors = FLOATS(arrays[FACTORS]);
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        for (Py_ssize_t layer = 0; layer < library.n_layers; layer++)
            ask_for(&library, numbers[layer], layer);
        for (Py_ssize_t layer = 0; layer < library.n_layers && !failed; layer++, numbers++)
            failed = *numbers < 0 || *numbers >= 2 * library.n_showers ||
                     decode(&library, *numbers, layer, *factors++,
                            voxels + i * size + layer * library.mesh.n_cells) < 0;
        if (!failed)
            scale(&library, FLOATS(arrays[CORE]) + i * library.n_layers * library.core_rings,
                  DOUBLES(arrays[COIN])[i], voxels + i * size, own);
    }
    Py_END_ALLOW_THREADS
    if (failed)
        contradiction("library");
    else
        result = Py_NewRef(Py_None);
close:
    free(own);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
