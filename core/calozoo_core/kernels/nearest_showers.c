/* Showers of a library that are nearest to given ones, or whose mirror images are. */

#include <math.h>
#include <stdlib.h>

#include "library.h"

enum { MOST_CANDIDATES = 64, MOST_FEATURES = 64 };

typedef struct {
    Py_ssize_t n_showers, width, window, candidates, mirrored;
    const double *own; /* in the order of their first feature */
} Library;

/* First of the window of showers next in the first feature. */
static Py_ssize_t window_start(const Library *library, double asked)
{
    Py_ssize_t low = 0, high = library->n_showers, last = library->n_showers - library->window;

    while (low < high) {
        Py_ssize_t middle = (low + high) / 2;
        /* What is not a number is behind all others, as numpy has it. */
        if (library->own[middle * library->width] < asked || isnan(asked))
            low = middle + 1;
        else
            high = middle;
    }
    low -= library->window / 2;
    return low < 0 ? 0 : low > last ? last : low;
}

/* Squared distances in the window, as they are and in the mirror; sums as numpy.sum adds them. */
static void distances(const Library *library, const double *there, const double *asked,
                      double *direct)
{
    Py_ssize_t width = library->width;

    for (Py_ssize_t i = 0; i < library->window; i++, there += width) {
        double square[MOST_FEATURES], sum = 0;
        for (Py_ssize_t k = 0; k < width; k++) {
            double apart = there[k] - asked[k];
            square[k] = apart * apart;
        }
        Py_ssize_t k = 0;
        if (width >= 8) {
            double r[8];
            for (int j = 0; j < 8; j++)
                r[j] = square[j];
            for (k = 8; k < width - width % 8; k += 8)
                for (int j = 0; j < 8; j++)
                    r[j] += square[k + j];
            sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
        }
        for (; k < width; k++)
            sum += square[k];
        direct[i] = sum;
        direct[library->window + i] =
            sum + 4 * there[library->mirrored] * asked[library->mirrored];
    }
}

/* Places of the nearest in their order; of those that are equally near the first comes first. */
static void nearest_of(const double *distance, Py_ssize_t n, Py_ssize_t candidates,
                       Py_ssize_t *places, double *best)
{
    for (Py_ssize_t k = 0; k < candidates; k++) {
        best[k] = INFINITY;
        places[k] = k;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!(distance[i] < best[candidates - 1]))
            continue;
        Py_ssize_t k = candidates - 1;
        for (; k > 0 && distance[i] < best[k - 1]; k--) {
            best[k] = best[k - 1];
            places[k] = places[k - 1];
        }
        best[k] = distance[i];
        places[k] = i;
    }
}

enum { OWN, ASKED, NUMBERS, APART, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {
    {"own", 'd', 0}, {"asked", 'd', 0}, {"numbers", 'q', 1}, {"apart", 'd', 1}};

PyObject *nearest_showers(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Library library;
    PyObject *result = NULL;
    double *distance = NULL;

    if (count != N_ARRAYS + 4) {
        PyErr_SetString(PyExc_TypeError, "nearest_showers takes 8 arguments.");
        return NULL;
    }
    library.width = whole_number(given[N_ARRAYS], "width", 1, MOST_FEATURES);
    library.window = whole_number(given[N_ARRAYS + 1], "window", 1, 1 << 20);
    library.candidates = whole_number(given[N_ARRAYS + 2], "candidates", 1, MOST_CANDIDATES);
    library.mirrored = whole_number(given[N_ARRAYS + 3], "mirrored", 0, library.width - 1);
    if (PyErr_Occurred() || open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    Py_ssize_t n = arrays[NUMBERS].length / library.candidates;
    library.n_showers = arrays[OWN].length / library.width;
    library.own = DOUBLES(arrays[OWN]);
    if (check_length(&arrays[OWN], &WANTED[OWN], library.n_showers * library.width) < 0 ||
        check_length(&arrays[ASKED], &WANTED[ASKED], n * library.width) < 0 ||
        check_length(&arrays[NUMBERS], &WANTED[NUMBERS], n * library.candidates) < 0 ||
        check_length(&arrays[APART], &WANTED[APART], n * library.candidates) < 0)
        goto close;
    if (library.window > library.n_showers || library.candidates > 2 * library.window) {
        contradiction("window");
        goto close;
    }
    distance = malloc(2 * (size_t)library.window * sizeof(double));
    if (!distance) {
        PyErr_NoMemory();
        goto close;
    }
    int64_t *numbers = arrays[NUMBERS].buffer.buf;
    double *apart = arrays[APART].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n; i++, numbers += library.candidates, apart += library.candidates) {
        const double *asked = DOUBLES(arrays[ASKED]) + i * library.width;
        Py_ssize_t start = window_start(&library, asked[0]), places[MOST_CANDIDATES];
        distances(&library, library.own + start * library.width, asked, distance);
        nearest_of(distance, 2 * library.window, library.candidates, places, apart);
        for (Py_ssize_t k = 0; k < library.candidates; k++) {
            numbers[k] = start + places[k] % library.window;
            if (places[k] >= library.window)
                numbers[k] += library.n_showers;
        }
    }
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    free(distance);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
