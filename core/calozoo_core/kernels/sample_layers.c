/* Energies of the layers of showers, sampled one after the other by a flow that sees those before.
   See calozoo_convl2lflows.energy_sampling, which is the reference. */

#include <math.h>
#include <string.h>

#include "density.h"
#include "flows.h"
#include "lanes.h"
#include "products_types.h"
#include "spline.h"

enum { N_SUMMARY = 3 };

/* Energy below which the logarithm of a layer's is nearly linear, and scale of the logarithms. */
static const float LAYER_FLOOR_MEV = 0.1f, LAYER_MEAN = 4, LAYER_STD = 2;

/* The flow: sizes, and weights in the order in which they are in the array. */
typedef struct {
    Py_ssize_t layers, hidden, widest;
    int bins;
    Matrix first, second, third, head;
    const float *which, *second_bias, *third_bias, *logit, *logit_bias, *head_bias;
} LayerFlow;

#if HAS_LANES
#include "lanes_avx2.h"

#include "products.h"

#include "functions.h"

#include "density_loops.h"

#include "energies_loops.h"

#include "lanes_end.h"

#include "lanes_avx512.h"

#include "products.h"

#include "functions.h"

#include "density_loops.h"

#include "energies_loops.h"

#include "lanes_end.h"
#endif

static void sample_shower(const LayerFlow *flow, const double *noise, const float *of_primary,
                          float scale, float *scratch, float *energy, int lanes)
{
#if HAS_LANES
    if (lanes == 16)
        sample_shower_avx512(flow, noise, of_primary, scale, scratch, energy);
    else
        sample_shower_avx2(flow, noise, of_primary, scale, scratch, energy);
#endif
}

static int read_flow(LayerFlow *flow, const Array *weights)
{
    Reader reader = {FLOATS(*weights), weights->length, 0};
    Py_ssize_t hidden = flow->hidden;

    flow->which = read_vector(&reader, flow->layers * hidden);
    flow->first = read_matrix(&reader, flow->layers + N_SUMMARY, hidden);
    flow->second = read_matrix(&reader, hidden, hidden);
    flow->second_bias = read_vector(&reader, hidden);
    flow->third = read_matrix(&reader, hidden, hidden);
    flow->third_bias = read_vector(&reader, hidden);
    flow->logit = read_vector(&reader, hidden);
    flow->logit_bias = read_vector(&reader, 1);
    flow->head = read_matrix(&reader, hidden, filled(3 * flow->bins + 1));
    flow->head_bias = read_vector(&reader, flow->head.columns);
    flow->widest = hidden > flow->head.columns ? hidden : flow->head.columns;
    if (!reader.is_short && !reader.left)
        return 0;
    contradiction("weights");
    return -1;
}

enum { NOISE, OF_PRIMARY, SCALE, WEIGHTS, ENERGY, N_ARRAYS };

static const Argument WANTED[N_ARRAYS] = {{"noise", 'd', 0},
                                          {"of_primary", 'f', 0},
                                          {"scale", 'f', 0},
                                          {"weights", 'f', 0},
                                          {"energy", 'f', 1}};

enum { N_SIZES = 3 };

static const Size SIZES[N_SIZES] = {{"layers", 1, 256}, {"hidden", 32, 1024}, {"bins", 2, 64}};

PyObject *sample_layers(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Py_ssize_t sizes[N_SIZES];
    LayerFlow flow;
    PyObject *result = NULL;
    float *scratch = NULL;

    if (count != N_ARRAYS + N_SIZES + 1) {
        PyErr_SetString(PyExc_TypeError, "sample_layers takes 9 arguments.");
        return NULL;
    }
    int lanes = asked_lanes(given[N_ARRAYS + N_SIZES]);
    if (lanes < 0 || read_sizes(given + N_ARRAYS, SIZES, N_SIZES, sizes) < 0 ||
        open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    flow.layers = sizes[0], flow.hidden = sizes[1], flow.bins = (int)sizes[2];
    Py_ssize_t n = arrays[SCALE].length;
    if (flow.hidden % COLUMNS) {
        contradiction("hidden");
        goto close;
    }
    if (read_flow(&flow, &arrays[WEIGHTS]) < 0 ||
        check_length(&arrays[NOISE], &WANTED[NOISE], n * flow.layers) < 0 ||
        check_length(&arrays[OF_PRIMARY], &WANTED[OF_PRIMARY], n * flow.hidden) < 0 ||
        check_length(&arrays[ENERGY], &WANTED[ENERGY], n * flow.layers) < 0)
        goto close;
    scratch = PyMem_Calloc((size_t)(flow.layers + N_SUMMARY + 2 * flow.widest), sizeof(float));
    if (scratch == NULL) {
        PyErr_NoMemory();
        goto close;
    }
    float *energy = arrays[ENERGY].buffer.buf;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n; i++)
        sample_shower(&flow, DOUBLES(arrays[NOISE]) + i * flow.layers,
                      FLOATS(arrays[OF_PRIMARY]) + i * flow.hidden, FLOATS(arrays[SCALE])[i],
                      scratch, energy + i * flow.layers, lanes);
    Py_END_ALLOW_THREADS
    result = Py_NewRef(Py_None);
close:
    PyMem_Free(scratch);
    close_arrays(arrays, N_ARRAYS);
    return result;
}
