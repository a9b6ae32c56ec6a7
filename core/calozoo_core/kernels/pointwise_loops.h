/* Loops of evaluate_net, for one kind of vector. */

/* Four rows of outputs for two vectors of points. */
static TARGET inline void OWN(four_rows)(const float *const *rows, int inputs, const float *x,
                                         float *y, float leak, int is_last)
{
    Lanes sums[ROWS][2];

    for (int r = 0; r < ROWS; r++)
        sums[r][0] = sums[r][1] = SPREAD(0.0f);
    for (int k = 0; k < inputs; k++, x += POINTS) {
        Lanes left = LOAD(x), right = LOAD(x + LANES);
        for (int r = 0; r < ROWS; r++) {
            Lanes weight = SPREAD(rows[r][k]);
            sums[r][0] = MULTIPLY_ADD(weight, left, sums[r][0]);
            sums[r][1] = MULTIPLY_ADD(weight, right, sums[r][1]);
        }
    }
    for (int r = 0; r < ROWS; r++)
        for (int v = 0; v < 2; v++) {
            Lanes sum = ADD(sums[r][v], SPREAD(rows[r][inputs]));
            if (!is_last)
                sum = LARGER(sum, MULTIPLY(sum, SPREAD(leak)));
            STORE(y + r * POINTS + v * LANES, sum);
        }
}

static TARGET void OWN(evaluate_tile)(const Net *net, float (*memory)[MOST_WIDTH * POINTS])
{
    for (int layer = 0; layer < net->n_layers; layer++) {
        int inputs = net->widths[layer], outputs = net->widths[layer + 1];
        const float *weights = net->weights[layer], *x = memory[layer % 2];
        float *y = memory[(layer + 1) % 2];
        for (int first = 0; first < outputs; first += ROWS) {
            const float *rows[ROWS];
            for (int r = 0; r < ROWS; r++) /* beyond the last row the last again */
                rows[r] = weights + (first + r < outputs ? first + r : outputs - 1) * (inputs + 1);
            for (int point = 0; point < POINTS; point += 2 * LANES)
                OWN(four_rows)(rows, inputs, x + point, y + first * POINTS + point, net->leak,
                               layer == net->n_layers - 1);
        }
    }
}
