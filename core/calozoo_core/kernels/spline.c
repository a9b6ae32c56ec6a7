/* Inverse of rational-quadratic splines, in the two steps between which numpy has the functions that
   a processor computes many of at a time. Operations are numpy's, one by one. */

#include <math.h>

#include "spline.h"
#include "sums.h"

static const float LEAST = 1e-3f;

/* Places of the numbers of a bin: where it begins, its width and height, and how far up the value
   lies in it. */
enum { LEFT, WIDTH, RISE, HEIGHT };

void find_bin(const float *sizes, const float *slopes, Py_ssize_t stride, int bins, float bound,
              float y, float *bin, float *knots, uint8_t *ends, Py_ssize_t out)
{
    float limit = bound, scaled[2][MOST_BINS], at = 0;
    float span = 2 * limit * (float)(1 - 1e-3 * bins), least = 2 * limit * LEAST;
    int index = 0;

    for (int half = 0; half < 2; half++) {
        float sum;
        for (int k = 0; k < bins; k++)
            scaled[half][k] = sizes[(half * bins + k) * stride];
        if (stride == 1) {
            sum = pairwise_sum(scaled[half], bins);
        } else {
            sum = scaled[half][0];
            for (int k = 1; k < bins; k++)
                sum += scaled[half][k];
        }
        float factor = span / sum;
        for (int k = 0; k < bins; k++)
            scaled[half][k] = scaled[half][k] * factor + least;
    }
    float height_at = (y < -limit ? -limit : y > limit ? limit : y) + limit;
    float edge = 0, bottom = 0;
    for (int k = 0; k < bins - 1; k++) {
        edge += scaled[1][k];
        if (height_at >= edge) {
            index = k + 1;
            bottom = edge;
        }
    }
    for (int k = 0; k < index; k++)
        at += scaled[0][k];
    bin[LEFT * out] = at;
    bin[WIDTH * out] = scaled[0][index];
    bin[RISE * out] = height_at - bottom;
    bin[HEIGHT * out] = scaled[1][index];
    int first = index > 0 ? index - 1 : 0, second = index < bins - 1 ? index : bins - 2;
    knots[0] = bins > 1 ? slopes[first * stride] : 0;
    knots[out] = bins > 1 ? slopes[second * stride] : 0;
    *ends = (uint8_t)((index == 0) | (index == bins - 1) << 1);
}

float invert_bin(const float *bin, const float *slopes, uint8_t ends, Py_ssize_t out, float bound,
                 float y)
{
    float d0 = ends & 1 ? 1 : slopes[0], d1 = ends & 2 ? 1 : slopes[out];
    float width = bin[WIDTH * out], height = bin[HEIGHT * out], rise = bin[RISE * out];
    float mean = height / width;
    float bend = rise * (d0 + d1 - 2 * mean);
    float a = height * (mean - d0) + bend, b = height * d0 - bend, c = mean * rise;
    float root = b * b + 4 * a * c;
    float x = 2 * c / (b + sqrtf(root < 0 ? 0 : root));

    x = x < 0 ? 0 : x > 1 ? 1 : x;
    x = x * width + bin[LEFT * out] - bound;
    return fabsf(y) < bound ? x : y;
}

enum { Y, SIZES, RAW, BIN, KNOTS, ENDS, N_BINS_ARRAYS };

static const Argument OF_BINS[N_BINS_ARRAYS] = {{"y", 'f', 0},   {"sizes", 'f', 0},
                                                {"raw", 'f', 0}, {"bin", 'f', 1},
                                                {"knots", 'f', 1}, {"ends", 'B', 1}};

PyObject *spline_bins(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_BINS_ARRAYS];
    PyObject *result = NULL;

    if (count != N_BINS_ARRAYS + 3) {
        PyErr_SetString(PyExc_TypeError, "spline_bins takes 9 arguments.");
        return NULL;
    }
    Py_ssize_t bins = whole_number(given[N_BINS_ARRAYS], "bins", 1, MOST_BINS);
    Py_ssize_t width = whole_number(given[N_BINS_ARRAYS + 1], "width", 1, INT32_MAX);
    float bound = (float)PyFloat_AsDouble(given[N_BINS_ARRAYS + 2]);
    if (PyErr_Occurred() || open_arrays(arrays, OF_BINS, given, N_BINS_ARRAYS) < 0)
        return NULL;
    Py_ssize_t total = arrays[Y].length, n = total / width, parameters = 3 * bins - 1;
    if (check_length(&arrays[Y], &OF_BINS[Y], n * width) < 0 ||
        check_length(&arrays[SIZES], &OF_BINS[SIZES], 2 * bins * total) < 0 ||
        check_length(&arrays[RAW], &OF_BINS[RAW], parameters * total) < 0 ||
        check_length(&arrays[BIN], &OF_BINS[BIN], N_BIN * total) < 0 ||
        check_length(&arrays[KNOTS], &OF_BINS[KNOTS], 2 * total) < 0 ||
        check_length(&arrays[ENDS], &OF_BINS[ENDS], total) < 0)
        goto close;
    const float *y = FLOATS(arrays[Y]), *sizes = FLOATS(arrays[SIZES]), *raw = FLOATS(arrays[RAW]);
    float *bin = arrays[BIN].buffer.buf, *knots = arrays[KNOTS].buffer.buf;
    uint8_t *ends = arrays[ENDS].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n; i++)
        for (Py_ssize_t k = 0; k < width; k++) {
            Py_ssize_t at = i * width + k;
            find_bin(sizes + 2 * bins * i * width + k,
                     raw + (parameters * i + 2 * bins) * width + k, width, (int)bins, bound, y[at],
                     bin + at, knots + at, ends + at, total);
        }
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    close_arrays(arrays, N_BINS_ARRAYS);
    return result;
}

enum { AT, PLACE, SLOPES, END, X, N_INVERSE_ARRAYS };

static const Argument OF_INVERSE[N_INVERSE_ARRAYS] = {
    {"y", 'f', 0}, {"bin", 'f', 0}, {"slopes", 'f', 0}, {"ends", 'B', 0}, {"x", 'f', 1}};

PyObject *spline_inverse(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_INVERSE_ARRAYS];
    PyObject *result = NULL;

    if (count != N_INVERSE_ARRAYS + 1) {
        PyErr_SetString(PyExc_TypeError, "spline_inverse takes 6 arguments.");
        return NULL;
    }
    float bound = (float)PyFloat_AsDouble(given[N_INVERSE_ARRAYS]);
    if (PyErr_Occurred() || open_arrays(arrays, OF_INVERSE, given, N_INVERSE_ARRAYS) < 0)
        return NULL;
    Py_ssize_t total = arrays[AT].length;
    if (check_length(&arrays[PLACE], &OF_INVERSE[PLACE], N_BIN * total) < 0 ||
        check_length(&arrays[SLOPES], &OF_INVERSE[SLOPES], 2 * total) < 0 ||
        check_length(&arrays[END], &OF_INVERSE[END], total) < 0 ||
        check_length(&arrays[X], &OF_INVERSE[X], total) < 0)
        goto close;
    float *x = arrays[X].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < total; i++)
        x[i] = invert_bin(FLOATS(arrays[PLACE]) + i, FLOATS(arrays[SLOPES]) + i,
                          BYTES(arrays[END])[i], total, bound, FLOATS(arrays[AT])[i]);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    close_arrays(arrays, N_INVERSE_ARRAYS);
    return result;
}
