/* Loops of convolve_3x3, for one kind of vector. */

#define VECTORS (OUTPUTS_AT_ONCE / LANES)

/* Outputs of one block for some pixels, whose windows begin at `windows`. */
static TARGET void OWN(convolve_pixels)(const float *const *windows, Py_ssize_t row_step,
                                        Py_ssize_t row, const float *weight, const float *bias,
                                        float leak, float *const *outputs, int pixels, int wanted)
{
    Lanes sums[PIXELS][VECTORS];

    for (int j = 0; j < PIXELS; j++)
        for (int v = 0; v < VECTORS; v++)
            sums[j][v] = SPREAD(0.0f);
    for (Py_ssize_t r = 0; r < 3; r++)
        for (Py_ssize_t k = 0; k < row; k++, weight += OUTPUTS_AT_ONCE) {
            Lanes own[VECTORS];
            for (int v = 0; v < VECTORS; v++)
                own[v] = LOAD(weight + v * LANES);
#pragma GCC unroll 8
            for (int j = 0; j < PIXELS; j++) {
                Lanes value = SPREAD(windows[j][r * row_step + k]);
                for (int v = 0; v < VECTORS; v++)
                    sums[j][v] = MULTIPLY_ADD(value, own[v], sums[j][v]);
            }
        }
    for (int j = 0; j < pixels; j++) {
        float whole[OUTPUTS_AT_ONCE];
        for (int v = 0; v < VECTORS; v++) {
            Lanes sum = ADD(sums[j][v], LOAD(bias + v * LANES));
            sum = LARGER(sum, MULTIPLY(sum, SPREAD(leak)));
            if (wanted == OUTPUTS_AT_ONCE)
                STORE(outputs[j] + v * LANES, sum);
            else
                STORE(whole + v * LANES, sum);
        }
        if (wanted < OUTPUTS_AT_ONCE)
            memcpy(outputs[j], whole, (size_t)wanted * sizeof(float));
    }
}

/* One image with its pixel of zeros around. */
static void OWN(convolve_image)(const float *padded, const Sizes *sizes, const float *weight,
                                const float *bias, float leak, float *output)
{
    Py_ssize_t row = 3 * sizes->inputs, row_step = (sizes->width + 2) * sizes->inputs;
    Py_ssize_t pixels = sizes->height * sizes->width;

    for (Py_ssize_t first = 0; first < sizes->outputs; first += OUTPUTS_AT_ONCE) {
        Py_ssize_t left = sizes->outputs - first;
        for (Py_ssize_t pixel = 0; pixel < pixels; pixel += PIXELS) {
            const float *windows[PIXELS];
            float *outputs[PIXELS];
            for (Py_ssize_t j = 0; j < PIXELS; j++) {
                Py_ssize_t own = pixel + j < pixels ? pixel + j : pixels - 1;
                windows[j] = padded + own / sizes->width * row_step +
                             own % sizes->width * sizes->inputs;
                outputs[j] = output + own * sizes->outputs + first;
            }
            OWN(convolve_pixels)(windows, row_step, row, weight, bias + first, leak, outputs,
                                 (int)(pixels - pixel < PIXELS ? pixels - pixel : PIXELS),
                                 (int)(left < OUTPUTS_AT_ONCE ? left : OUTPUTS_AT_ONCE));
        }
        weight += 3 * row * OUTPUTS_AT_ONCE;
    }
}

#undef VECTORS
