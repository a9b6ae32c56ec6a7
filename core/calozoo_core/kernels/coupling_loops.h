/* Loops of couple_splines, for one kind of vector. */

/* Slopes at knots of their raw numbers, in place. */
static TARGET void OWN(slopes)(float *raw, Py_ssize_t n)
{
    float part[64];
    for (Py_ssize_t first = 0; first < n; first += 64) {
        Py_ssize_t own = n - first < 64 ? n - first : 64;
        for (Py_ssize_t i = 0; i < own; i++)
            part[i] = raw[first + i] = raw[first + i] + RAW_UNIT_SLOPE;
        OWN(exponentials)(part, own);
        for (Py_ssize_t i = 0; i < own; i++)
            part[i] += 1.0f;
        OWN(logarithms)(part, own);
        for (Py_ssize_t i = 0; i < own; i++)
            raw[first + i] = (part[i] > raw[first + i] ? part[i] : raw[first + i]) + LEAST_SIZE;
    }
}

/* Widths or heights of the bins of m splines, from exponentials, in place: (bins, m). */
static TARGET void OWN(scale_sizes)(const Coupling *flow, float *sizes, float *factor)
{
    Py_ssize_t m = flow->m;
    float span = 2 * flow->bound * (float)(1 - 1e-3 * flow->bins);
    float least = 2 * flow->bound * LEAST_SIZE;

    for (Py_ssize_t i = 0; i < m; i++)
        factor[i] = 0;
    for (int k = 0; k < flow->bins; k++)
        for (Py_ssize_t i = 0; i < m; i++)
            factor[i] += sizes[k * m + i];
    for (Py_ssize_t i = 0; i < m; i++)
        factor[i] = span / factor[i];
    for (int k = 0; k < flow->bins; k++)
        for (Py_ssize_t i = 0; i < m; i++)
            sizes[k * m + i] = sizes[k * m + i] * factor[i] + least;
}

/* Inverse of m splines at y, of raw numbers of shape (3 bins - 1, m), which are lost. */
static TARGET void OWN(invert_splines)(const Coupling *flow, const float *y, float *raw,
                                       Scratch *scratch, float *x)
{
    Py_ssize_t m = flow->m;
    int bins = flow->bins;
    float bound = flow->bound, *heights = raw + bins * m, *knots = raw + 2 * bins * m;
    float *at = scratch->at, *edge = scratch->edge, *height_at = scratch->height_at;
    float *left = scratch->left, *bottom = scratch->bottom, *width = scratch->width;
    float *height = scratch->height, *d0 = scratch->d0, *d1 = scratch->d1;
    int32_t *bin = scratch->bin;

    OWN(exponentials)(raw, 2 * bins * m);
    OWN(scale_sizes)(flow, raw, at);
    OWN(scale_sizes)(flow, heights, at);
    for (Py_ssize_t i = 0; i < m; i++) {
        float inside = y[i] < -bound ? -bound : y[i];
        height_at[i] = (inside > bound ? bound : inside) + bound;
        at[i] = edge[i] = left[i] = bottom[i] = d0[i] = d1[i] = 0;
        width[i] = raw[i];
        height[i] = heights[i];
        bin[i] = 0;
    }
    for (int k = 0; k < bins; k++) {
        const float *before = knots + (k > 0 ? k - 1 : 0) * m;
        const float *after = knots + (k < bins - 1 ? k : bins - 2) * m;
        for (Py_ssize_t i = 0; i < m; i++) {
            int is_above = height_at[i] >= edge[i];
            float own_width = raw[k * m + i], own_height = heights[k * m + i];
            left[i] = is_above ? at[i] : left[i];
            bottom[i] = is_above ? edge[i] : bottom[i];
            width[i] = is_above ? own_width : width[i];
            height[i] = is_above ? own_height : height[i];
            d0[i] = is_above ? before[i] : d0[i];
            d1[i] = is_above ? after[i] : d1[i];
            bin[i] = is_above ? k : bin[i];
            at[i] += own_width;
            edge[i] += own_height;
        }
    }
    OWN(slopes)(d0, m);
    OWN(slopes)(d1, m);
    for (Py_ssize_t i = 0; i < m; i++) {
        d0[i] = bin[i] == 0 ? 1 : d0[i];
        d1[i] = bin[i] == bins - 1 ? 1 : d1[i];
    }
    for (Py_ssize_t i = 0; i < m; i++) {
        float rise = height_at[i] - bottom[i], mean = height[i] / width[i];
        float bend = rise * (d0[i] + d1[i] - 2 * mean);
        float a = height[i] * (mean - d0[i]) + bend, b = height[i] * d0[i] - bend, c = mean * rise;
        float root = b * b + 4 * a * c;
        float found = 2 * c / (b + sqrtf(root < 0 ? 0 : root));
        found = found < 0 ? 0 : found > 1 ? 1 : found;
        found = found * width[i] + left[i] - bound;
        x[i] = fabsf(y[i]) < bound ? found : y[i];
    }
}

/* Couple a few rows: the first elements stay, and shape the splines of the others. */
static TARGET void OWN(couple_rows)(const Coupling *flow, const float *y, const float *condition,
                                    Py_ssize_t n, Scratch *scratch, float *x)
{
    Py_ssize_t dim = flow->identity + flow->m, inputs = flow->identity + flow->conditions;
    const Matrix *last = &flow->layers[flow->n_layers - 1];
    float *from = scratch->inputs, *to = scratch->hidden;
    Py_ssize_t step = inputs;

    for (Py_ssize_t i = 0; i < n; i++) {
        memcpy(from + i * inputs, y + i * dim, (size_t)flow->identity * sizeof(float));
        memcpy(from + i * inputs + flow->identity, condition + i * flow->conditions,
               (size_t)flow->conditions * sizeof(float));
    }
    for (int k = 0; k < flow->n_layers - 1; k++) {
        const Matrix *layer = &flow->layers[k];
        OWN(products)(layer, from, step, n, flow->biases[k], 0, LEAK, to, layer->columns);
        step = layer->columns;
        from = to;
        to = to == scratch->hidden ? scratch->hidden_too : scratch->hidden;
    }
    OWN(products)(last, from, step, n, flow->biases[flow->n_layers - 1], 0, 1, scratch->raw,
                  last->columns);
    for (Py_ssize_t i = 0; i < n; i++) {
        memcpy(x + i * dim, y + i * dim, (size_t)flow->identity * sizeof(float));
        OWN(invert_splines)(flow, y + i * dim + flow->identity, scratch->raw + i * last->columns,
                            scratch, x + i * dim + flow->identity);
    }
}
