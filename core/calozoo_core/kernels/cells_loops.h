/* Loops of fill_cells, for one kind of vector. */

/* Add the windows of 3 x 3 about a cell, times its value: what a convolution makes of one pixel. */
static TARGET void OWN(add_window)(const float *weight, Py_ssize_t width, Py_ssize_t half,
                                   Py_ssize_t place, float value, float *out)
{
    Py_ssize_t y = place / half, x = place % half;
    for (Py_ssize_t row = 0; row < 3; row++)
        for (Py_ssize_t column = 0; column < 3; column++, weight += width) {
            Py_ssize_t own_y = y + 1 - row, own_x = x + 1 - column;
            if (own_y < 0 || own_y >= half || own_x < 0 || own_x >= half)
                continue;
            float *there = out + (own_y * half + own_x) * width;
            for (Py_ssize_t k = 0; k < width; k += LANES)
                STORE(there + k, MULTIPLY_ADD(SPREAD(value), LOAD(weight + k), LOAD(there + k)));
        }
}

/* Convolution of an image that has its pixel of zeros around. */
static TARGET void OWN(convolution)(const CellFlow *flow, const Matrix *matrix, const float *bias,
                                    const float *padded, float *out, int is_padded)
{
    Py_ssize_t half = flow->half, width = flow->width, step = (half + 2) * width;
    for (Py_ssize_t y = 0; y < half; y++)
        OWN(window_products)(matrix, padded + y * step, width, 3, step, half, bias, 0, SLOPE,
                             is_padded ? out + (y + 1) * step + width : out + y * half * width,
                             width);
}

/* Features from the layers before, into scratch->features. */
static TARGET void OWN(previous_layers)(const CellFlow *flow, const Layer *layer, Scratch *scratch)
{
    Py_ssize_t half = flow->half, width = flow->width, places = half * half;
    float *near = scratch->features, *place = scratch->rows;

    for (Py_ssize_t i = 0; i < places; i++)
        memcpy(near + i * width, flow->first_bias, (size_t)width * sizeof(float));
    for (Py_ssize_t back = 1; back <= flow->previous && back <= layer->number; back++) {
        const Hits *hits = &scratch->hits[(layer->number - back) % (flow->previous + 1)];
        for (Py_ssize_t k = 0; k < hits->number; k++)
            OWN(add_window)(flow->first + ((back - 1) * PHASES + hits->phase[k]) * 9 * width, width,
                            half, hits->place[k], hits->map[k], near);
    }
    Matrix mix = {layer->mix, flow->maps, width};
    OWN(products)(&mix, flow->map_values, flow->maps, places, scratch->zeros, 0, 1, place, width);
    for (Py_ssize_t y = 0; y < half; y++)
        for (Py_ssize_t x = 0; x < half; x++) {
            float *to = scratch->padded + ((y + 1) * (half + 2) + x + 1) * width;
            const float *own = near + (y * half + x) * width;
            const float *other = place + (y * half + x) * width;
            for (Py_ssize_t k = 0; k < width; k += LANES) {
                Lanes sum = MULTIPLY_ADD(LOAD(own + k), LOAD(layer->gate + k), LOAD(other + k));
                STORE(to + k, LARGER(sum, MULTIPLY(sum, SPREAD(SLOPE))));
            }
        }
    OWN(convolution)(flow, &flow->second, flow->second_bias, scratch->padded, scratch->padded_too,
                     1);
    OWN(convolution)(flow, &flow->third, flow->third_bias, scratch->padded_too, scratch->features,
                     0);
}

/* Logarithmic deposits of the last `number` hits, whose hidden features are `hidden`. */
static TARGET void OWN(hit_values)(const CellFlow *flow, const double *noise, const float *logits,
                                   const float *hidden, Hits *hits, Py_ssize_t number,
                                   Scratch *scratch)
{
    const int32_t *place = hits->place + hits->number - number;
    float *gathered = scratch->rows, *at_hit = scratch->at_hit, *values = scratch->values;

    for (Py_ssize_t k = 0; k < number; k++) {
        memcpy(gathered + k * flow->hidden, hidden + place[k] * flow->hidden,
               (size_t)flow->hidden * sizeof(float));
        /* 1 - (1 - u) / p, where u is the noise and p the probability of a hit. */
        double inverse = 1 + exp(-(double)logits[place[k]]);
        values[k] = normal_quantile(1 - (1 - noise[place[k]]) * inverse);
    }
    OWN(products)(&flow->at_hit, gathered, flow->hidden, number, flow->at_hit_bias, 0, 1, at_hit,
                  flow->at_hit.columns);
    OWN(silu)(at_hit, number * flow->at_hit.columns);
    OWN(products)(&flow->head, at_hit, flow->at_hit.columns, number, flow->head_bias, 0, 1,
                  gathered, flow->head.columns);
    OWN(densities)(gathered, flow->head.columns, number, flow->bins, MEAN, STD, values);
}

/* One coupling: which of its cells are hit, and with which energy. Returns the sum, in MeV. */
static TARGET double OWN(couple)(const CellFlow *flow, const Layer *layer, int phase, float used,
                                 Hits *hits, Scratch *scratch)
{
    Py_ssize_t half = flow->half, hidden = flow->hidden, places = half * half;
    const float *extra = flow->left + 2 * phase * hidden, *start = layer->left + phase * hidden;
    const double *noise = layer->noise + phase * places;
    float *excess = scratch->excess + phase * places, *rows = scratch->hidden;
    float *logits = scratch->logits, *first = scratch->start;
    float remaining = layer->energy - used < 0 ? 0 : layer->energy - used;
    float logs = log1pf(remaining / FLOOR_MEV) / 4;
    float share = remaining / (layer->energy > 1e-3f ? layer->energy : 1e-3f);
    Py_ssize_t before = hits->number;
    double sum = 0;

    for (Py_ssize_t k = 0; k < hidden; k++)
        first[k] = start[k] + logs * extra[k] + share * extra[hidden + k];
    if (before) {
        for (Py_ssize_t i = 0; i < places; i++)
            memcpy(rows + i * hidden, first, (size_t)hidden * sizeof(float));
        for (Py_ssize_t k = 0; k < before; k++)
            OWN(add_window)(flow->near + (phase * PHASES + hits->phase[k]) * 9 * hidden, hidden,
                            half, hits->place[k], hits->map[k], rows);
    }
    OWN(products)(&flow->spread[phase], scratch->features, flow->width, places,
                  before ? rows : first, before ? hidden : 0, SLOPE, rows, hidden);
    OWN(products)(&flow->last[phase], rows, hidden, places, flow->last_bias + phase * hidden, 0,
                  SLOPE, scratch->rows_too, hidden);
    rows = scratch->rows_too;
    for (Py_ssize_t i = 0; i < places; i++)
        logits[i] = OWN(product)(rows + i * hidden, flow->logit + phase * hidden, hidden) +
                    flow->logit_bias[phase];
    for (Py_ssize_t i = 0; i < places; i++)
        excess[i] = (float)(noise[i] / (1 - noise[i])) + 1e-30f;
    OWN(logarithms)(excess, places);
    for (Py_ssize_t i = 0; i < places; i++) {
        excess[i] += logits[i];
        if (excess[i] > 0) {
            hits->phase[hits->number] = (uint8_t)phase;
            hits->place[hits->number++] = (int32_t)i;
        }
    }
    OWN(hit_values)(flow, noise, logits, rows, hits, hits->number - before, scratch);
    for (Py_ssize_t k = before; k < hits->number; k++) {
        float value = scratch->values[k - before];
        value = value < LEAST_VALUE ? LEAST_VALUE : value > LARGEST_VALUE ? LARGEST_VALUE : value;
        hits->map[k] = value / 2;
        hits->energy[k] = expm1f(value) * FLOOR_MEV;
        sum += (double)hits->energy[k];
    }
    return sum;
}

/* Cells of one layer. */
static TARGET void OWN(fill_layer)(const CellFlow *flow, const Layer *layer, Scratch *scratch,
                                   float *cells)
{
    Hits *hits = &scratch->hits[layer->number % (flow->previous + 1)];
    Py_ssize_t half = flow->half, places = half * half;
    float used = 0;

    hits->number = 0;
    if (!(layer->energy > 0))
        return;
    OWN(previous_layers)(flow, layer, scratch);
    for (int phase = 0; phase < PHASES; phase++)
        used += (float)OWN(couple)(flow, layer, phase, used, hits, scratch);
    if (!hits->number) {
        /* One cell has all of the energy. */
        Py_ssize_t most = 0;
        for (Py_ssize_t i = 1; i < PHASES * places; i++)
            if (scratch->excess[i] > scratch->excess[most])
                most = i;
        hits->number = 1;
        hits->phase[0] = (uint8_t)(most / places);
        hits->place[0] = (int32_t)(most % places);
        hits->energy[0] = used = 1;
    }
    float factor = layer->energy / used;
    for (Py_ssize_t k = 0; k < hits->number; k++) {
        int at = ORDER[hits->phase[k]];
        Py_ssize_t row = 2 * (hits->place[k] / half) + at / 2;
        Py_ssize_t column = 2 * (hits->place[k] % half) + at % 2;
        hits->energy[k] *= factor;
        hits->map[k] = log1pf(hits->energy[k] / FLOOR_MEV) / 2;
        cells[row * 2 * half + column] = hits->energy[k];
    }
}
