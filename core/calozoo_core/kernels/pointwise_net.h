/* Network that is the same for every point: linear layers with leaky ReLU between them. */

#ifndef CALOZOO_POINTWISE_NET_H
#define CALOZOO_POINTWISE_NET_H

#include "arrays.h"

enum { MOST_LAYERS = 16, MOST_WIDTH = 256 };

/* weights: of each layer, outputs x (inputs + 1), the bias last.
   widths: inputs of the first layer, and the outputs of each, n_layers + 1 of them. */
typedef struct {
    int n_layers;
    const float *weights[MOST_LAYERS];
    int widths[MOST_LAYERS + 1];
    float leak, skip;
} Net;

/* Outputs of the network plus `skip` times its inputs, which are as many.

   noise, features: rows of `points` numbers. lanes: 8 or 16, from widest_lanes. */
void evaluate_net(const Net *net, const float *noise, float *features, Py_ssize_t points,
                  int lanes);

#endif
