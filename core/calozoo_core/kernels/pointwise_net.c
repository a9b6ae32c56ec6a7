#include <string.h>

#include "lanes.h"
#include "pointwise_net.h"

/* Points whose values in two layers, and the weights between them, fit in the first cache. */
enum { POINTS = 32 };

/* Outputs that are summed in registers. */
enum { ROWS = 4 };

#if HAS_LANES
#include "lanes_avx2.h"

#include "pointwise_loops.h"

#include "lanes_end.h"

#include "lanes_avx512.h"

#include "pointwise_loops.h"

#include "lanes_end.h"
#endif

void evaluate_net(const Net *net, const float *noise, float *features, Py_ssize_t points, int lanes)
{
#if HAS_LANES
    _Alignas(64) float memory[2][MOST_WIDTH * POINTS];
    int inputs = net->widths[0];
    const float *outputs = memory[net->n_layers % 2];

    for (Py_ssize_t first = 0; first < points; first += POINTS) {
        Py_ssize_t own = points - first < POINTS ? points - first : POINTS;
        memset(memory[0], 0, (size_t)(inputs * POINTS) * sizeof(float));
        for (int k = 0; k < inputs; k++)
            memcpy(memory[0] + k * POINTS, noise + k * points + first,
                   (size_t)own * sizeof(float));
        if (lanes == 16)
            evaluate_tile_avx512(net, memory);
        else
            evaluate_tile_avx2(net, memory);
        for (int k = 0; k < inputs; k++)
            for (Py_ssize_t i = 0; i < own; i++)
                features[k * points + first + i] =
                    outputs[k * POINTS + i] + noise[k * points + first + i] * net->skip;
    }
#endif
}
