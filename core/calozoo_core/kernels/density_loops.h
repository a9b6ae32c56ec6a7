/* Loops of densities, for one kind of vector; include functions.h before. */

/* Numbers of n densities, whose raw numbers are in rows `step` apart; noise becomes the numbers. */
static inline TARGET void OWN(densities)(const float *raw, Py_ssize_t step, Py_ssize_t n, int bins,
                                  float mean, float std, float *values)
{
    float sizes[2 * MOST_BINS];

    for (Py_ssize_t i = 0; i < n; i++, raw += step) {
        memcpy(sizes, raw + 2, (size_t)(2 * bins) * sizeof(float));
        OWN(exponentials)(sizes, 2 * bins);
        values[i] = density_value(raw, sizes, bins, values[i], mean, std);
    }
}
