/* Loops of sample_layers, for one kind of vector. */

/* Energies of the layers of one shower. */
static TARGET void OWN(sample_shower)(const LayerFlow *flow, const double *noise,
                                      const float *of_primary, float scale, float *scratch,
                                      float *energy)
{
    Py_ssize_t layers = flow->layers, hidden = flow->hidden;
    /* Inputs are the layers before, the nearest first and zeros behind, and their summary. */
    float *inputs = scratch, *x = inputs + layers + N_SUMMARY, *other = x + flow->widest;
    float *summary = inputs + layers, total = 0, moment = 0;

    memset(inputs, 0, (size_t)(layers + N_SUMMARY) * sizeof(float));
    for (Py_ssize_t layer = 0; layer < layers; layer++) {
        float centre = moment / (total > 1e-3f ? total : 1e-3f);
        summary[0] = log1pf(total / LAYER_FLOOR_MEV) / 4;
        summary[1] = total / scale;
        summary[2] = total > 0 ? ((float)layer - centre) / (float)layers : 0;
        for (Py_ssize_t k = 0; k < hidden; k++)
            other[k] = of_primary[k] + flow->which[layer * hidden + k];
        OWN(products)(&flow->first, inputs, layers + N_SUMMARY, 1, other, 0, 1, x, hidden);
        OWN(silu)(x, hidden);
        OWN(products)(&flow->second, x, hidden, 1, flow->second_bias, 0, 1, other, hidden);
        OWN(silu)(other, hidden);
        OWN(products)(&flow->third, other, hidden, 1, flow->third_bias, 0, 1, x, hidden);
        OWN(silu)(x, hidden);
        double logit = (double)(OWN(product)(x, flow->logit, hidden) + flow->logit_bias[0]);
        memmove(inputs + 1, inputs, (size_t)(layers - 1) * sizeof(float));
        inputs[0] = energy[layer] = 0;
        if (!(noise[layer] > 1 / (1 + exp(logit))))
            continue;
        float value = normal_quantile(1 - (1 - noise[layer]) * (1 + exp(-logit)));
        OWN(products)(&flow->head, x, hidden, 1, flow->head_bias, 0, 1, other, flow->head.columns);
        OWN(densities)(other, flow->head.columns, 1, flow->bins, LAYER_MEAN, LAYER_STD, &value);
        value = value < 1e-3f ? 1e-3f : value > 14 ? 14 : value;
        energy[layer] = expm1f(value) * LAYER_FLOOR_MEV;
        inputs[0] = log1pf(energy[layer] / LAYER_FLOOR_MEV) / 4;
        total += energy[layer];
        moment += energy[layer] * (float)layer;
    }
}
