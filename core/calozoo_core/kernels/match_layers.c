/* Layers of a library's showers that are most like the layers of given cores. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "library.h"

enum { MOST_CANDIDATES = 64, MOST_STEPS = 8 };

typedef struct {
    Py_ssize_t n_showers, n_layers, rings, candidates, references, steps;
    const uint8_t *core;      /* levels of rings, (n_showers, n_layers, rings) */
    const float *level_log;   /* of each level */
    const float *layer_log;   /* of each layer's energy, (n_showers, n_layers) */
    const float *lean;        /* (n_showers, 2) */
    const int32_t *step;      /* layers that are compared with, from each */
    const double *step_weight;
    double shower_weight, lean_weight;
} Library;

static double square(double value)
{
    return value * value;
}

/* Distances of the layers of one shower of the library from those of a core. */
static void layers_apart(const Library *library, Py_ssize_t row, double shower, const float *rings,
                         const float *layers, double *apart)
{
    Py_ssize_t n = library->n_layers;
    const uint8_t *levels = library->core + row * n * library->rings;
    const float *theirs = library->layer_log + row * n;

    for (Py_ssize_t layer = 0; layer < n; layer++)
        apart[layer] = library->shower_weight * shower;
    for (Py_ssize_t layer = 0; layer < n; layer++)
        for (Py_ssize_t ring = 0; ring < library->rings; ring++, levels++, rings++)
            apart[layer] += square((double)library->level_log[*levels] - (double)*rings);
    for (Py_ssize_t k = 0; k < library->steps; k++)
        for (Py_ssize_t layer = 0; layer < n; layer++) {
            Py_ssize_t beside = layer + library->step[k];
            beside = beside < 0 ? 0 : beside < n ? beside : n - 1;
            apart[layer] += library->step_weight[k] * square((double)theirs[beside] - (double)layers[beside]);
        }
}

/* Candidate that is drawn among those most alike in all layers; the first of equal ones first. */
static Py_ssize_t reference(const Library *library, const double *total, double coin)
{
    Py_ssize_t best[MOST_CANDIDATES], n = 0;

    for (Py_ssize_t i = 0; i < library->candidates; i++) {
        Py_ssize_t k = n < library->references ? n++ : n - 1;
        if (k == n - 1 && i >= library->references && !(total[i] < total[best[k]]))
            continue;
        for (; k > 0 && total[i] < total[best[k - 1]]; k--)
            best[k] = best[k - 1];
        best[k] = i;
    }
    double chosen = coin * (double)n;
    Py_ssize_t k = chosen > 0 ? (Py_ssize_t)chosen : 0;
    return best[k < n ? k : n - 1];
}

static double lean_along(const Library *library, int64_t number, int axis)
{
    double lean = library->lean[2 * (number % library->n_showers) + axis];
    return axis == 0 && number >= library->n_showers ? -lean : lean;
}

/* Numbers of the showers that the layers of one core take; `apart` has room for all distances. */
static void match(const Library *library, const int64_t *numbers, const double *showers,
                  const float *rings, const float *layers, double coin, double *apart,
                  int64_t *found)
{
    Py_ssize_t n = library->n_layers;
    double total[MOST_CANDIDATES];

    for (Py_ssize_t i = 0; i < library->candidates; i++) {
        double *own = apart + i * n;
        layers_apart(library, (Py_ssize_t)(numbers[i] % library->n_showers), showers[i], rings,
                     layers, own);
        total[i] = 0;
        for (Py_ssize_t layer = 0; layer < n; layer++)
            total[i] += own[layer];
    }
    int64_t drawn = numbers[reference(library, total, coin)];
    for (Py_ssize_t i = 0; i < library->candidates; i++) {
        double aside = square(lean_along(library, numbers[i], 0) - lean_along(library, drawn, 0)) +
                       square(lean_along(library, numbers[i], 1) - lean_along(library, drawn, 1));
        for (Py_ssize_t layer = 0; layer < n; layer++)
            apart[i * n + layer] += library->lean_weight * aside;
    }
    for (Py_ssize_t layer = 0; layer < n; layer++) {
        Py_ssize_t nearest = 0;
        for (Py_ssize_t i = 1; i < library->candidates; i++)
            if (apart[i * n + layer] < apart[nearest * n + layer])
                nearest = i;
        found[layer] = numbers[nearest];
    }
}

enum { NUMBERS, APART, RINGS, LAYERS, COIN, CORE, LEVEL_LOG, LAYER_LOG, LEAN, STEP, WEIGHTS, FOUND, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"numbers", 'q', 0}, {"apart", 'd', 0},     {"rings", 'f', 0},     {"layers", 'f', 0},
    {"coin", 'd', 0},    {"core", 'B', 0},      {"level_log", 'f', 0}, {"layer_log", 'f', 0},
    {"lean", 'f', 0},    {"step", 'i', 0},      {"weights", 'd', 0},   {"found", 'q', 1}};

/* Lengths of all arrays must fit each other, and no number may lead outside of one. */
static int check(Library *library, const Array *arrays)
{
    Py_ssize_t n = arrays[COIN].length;

    library->n_showers = arrays[LEAN].length / 2;
    if (n == 0 || library->n_showers < 1 || arrays[LAYER_LOG].length % library->n_showers ||
        arrays[LAYER_LOG].length < 1)
        return n == 0 ? 0 : (contradiction("lean"), -1);
    library->n_layers = arrays[LAYER_LOG].length / library->n_showers;
    library->candidates = arrays[NUMBERS].length / n;
    library->rings = arrays[RINGS].length / (n * library->n_layers);
    library->steps = arrays[STEP].length;
    if (library->candidates < 1 || library->candidates > MOST_CANDIDATES ||
        library->steps > MOST_STEPS) {
        contradiction("numbers");
        return -1;
    }
    Py_ssize_t layers = n * library->n_layers;
    if (check_length(&arrays[NUMBERS], &WANTED[NUMBERS], n * library->candidates) < 0 ||
        check_length(&arrays[APART], &WANTED[APART], n * library->candidates) < 0 ||
        check_length(&arrays[RINGS], &WANTED[RINGS], layers * library->rings) < 0 ||
        check_length(&arrays[LAYERS], &WANTED[LAYERS], layers) < 0 ||
        check_length(&arrays[CORE], &WANTED[CORE],
                     library->n_showers * library->n_layers * library->rings) < 0 ||
        check_length(&arrays[LEVEL_LOG], &WANTED[LEVEL_LOG], 256) < 0 ||
        check_length(&arrays[LEAN], &WANTED[LEAN], 2 * library->n_showers) < 0 ||
        check_length(&arrays[WEIGHTS], &WANTED[WEIGHTS], library->steps + 2) < 0 ||
        check_length(&arrays[FOUND], &WANTED[FOUND], layers) < 0)
        return -1;
    const int64_t *numbers = LONGS(arrays[NUMBERS]);
    for (Py_ssize_t i = 0; i < arrays[NUMBERS].length; i++)
        if (numbers[i] < 0 || numbers[i] >= 2 * library->n_showers) {
            contradiction("numbers");
            return -1;
        }
    return 0;
}

PyObject *match_layers(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Library library = {0};
    PyObject *result = NULL;
    double *apart = NULL;

    if (count != N_ARRAYS + 1) {
        PyErr_SetString(PyExc_TypeError, "match_layers takes 13 arguments.");
        return NULL;
    }
    library.references = whole_number(given[N_ARRAYS], "references", 1, MOST_CANDIDATES);
    if (PyErr_Occurred() || open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    if (check(&library, arrays) < 0)
        goto close;
    Py_ssize_t n = arrays[COIN].length, layers = library.n_layers;
    library.core = BYTES(arrays[CORE]);
    library.level_log = FLOATS(arrays[LEVEL_LOG]);
    library.layer_log = FLOATS(arrays[LAYER_LOG]);
    library.lean = FLOATS(arrays[LEAN]);
    library.step = INTS(arrays[STEP]);
    library.shower_weight = n ? DOUBLES(arrays[WEIGHTS])[0] : 0;
    library.lean_weight = n ? DOUBLES(arrays[WEIGHTS])[1] : 0;
    library.step_weight = DOUBLES(arrays[WEIGHTS]) + 2;
    apart = malloc((size_t)(library.candidates * layers + 1) * sizeof(double));
    if (!apart) {
        PyErr_NoMemory();
        goto close;
    }
    int64_t *found = arrays[FOUND].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n; i++)
        match(&library, LONGS(arrays[NUMBERS]) + i * library.candidates,
              DOUBLES(arrays[APART]) + i * library.candidates,
              FLOATS(arrays[RINGS]) + i * layers * library.rings,
              FLOATS(arrays[LAYERS]) + i * layers, DOUBLES(arrays[COIN])[i], apart,
              found + i * layers);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    free(apart);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
