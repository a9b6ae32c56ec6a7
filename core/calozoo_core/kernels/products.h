/* Loops of products of rows and a matrix, for one kind of vector; include products_types.h before. */

#define PER_PASS (2 * LANES)

/* Products of n rows and one block of columns; n is known when this is compiled.

   A row is in `parts` of one length, `part_step` apart: the rows of a window of an image. */
static inline TARGET __attribute__((always_inline)) void
OWN(product_block)(const float *rows, Py_ssize_t row_step, Py_ssize_t parts, Py_ssize_t length,
                   Py_ssize_t part_step, const float *weight, const float *start,
                   Py_ssize_t start_step, float leak, float *out, Py_ssize_t out_step, const int n)
{
    for (int column = 0; column < COLUMNS; column += PER_PASS) {
        const float *own = weight + column;
        Lanes low[ROWS_AT_ONCE], high[ROWS_AT_ONCE];
        for (int i = 0; i < n; i++) {
            low[i] = LOAD(start + i * start_step + column);
            high[i] = LOAD(start + i * start_step + column + LANES);
        }
        for (Py_ssize_t part = 0; part < parts; part++) {
            const float *at = rows + part * part_step;
            for (Py_ssize_t k = 0; k < length; k++, own += COLUMNS) {
                Lanes first = LOAD(own), second = LOAD(own + LANES);
#pragma GCC unroll 8
                for (int i = 0; i < n; i++) {
                    Lanes value = SPREAD(at[i * row_step + k]);
                    low[i] = MULTIPLY_ADD(value, first, low[i]);
                    high[i] = MULTIPLY_ADD(value, second, high[i]);
                }
            }
        }
        for (int i = 0; i < n; i++) {
            low[i] = LARGER(low[i], MULTIPLY(low[i], SPREAD(leak)));
            high[i] = LARGER(high[i], MULTIPLY(high[i], SPREAD(leak)));
            STORE(out + i * out_step + column, low[i]);
            STORE(out + i * out_step + column + LANES, high[i]);
        }
    }
}

/* Products of n rows with all columns of a matrix, plus where they start, through a leaky ReLU.

   The start is one row for all with a step of 0, and may be `out` itself; a leak of 1 changes
   nothing. */
static inline TARGET void OWN(window_products)(const Matrix *matrix, const float *rows,
                                        Py_ssize_t row_step, Py_ssize_t parts,
                                        Py_ssize_t part_step, Py_ssize_t n, const float *start,
                                        Py_ssize_t start_step, float leak, float *out,
                                        Py_ssize_t out_step)
{
    Py_ssize_t length = matrix->length / parts;

    for (Py_ssize_t column = 0; column < matrix->columns; column += COLUMNS) {
        const float *weight = matrix->weight + column * matrix->length;
        Py_ssize_t i = 0;
#define BLOCK(number)                                                                              \
    OWN(product_block)(rows + i * row_step, row_step, parts, length, part_step, weight,            \
                       start + i * start_step + column, start_step, leak,                          \
                       out + i * out_step + column, out_step, number)
        for (; i + ROWS_AT_ONCE <= n; i += ROWS_AT_ONCE)
            BLOCK(ROWS_AT_ONCE);
        switch (n - i) {
        case 4:
            BLOCK(4);
            break;
        case 3:
            BLOCK(3);
            break;
        case 2:
            BLOCK(2);
            break;
        case 1:
            BLOCK(1);
            break;
        }
#undef BLOCK
    }
}

static inline TARGET void OWN(products)(const Matrix *matrix, const float *rows, Py_ssize_t row_step,
                                 Py_ssize_t n, const float *start, Py_ssize_t start_step,
                                 float leak, float *out, Py_ssize_t out_step)
{
    OWN(window_products)(matrix, rows, row_step, 1, 0, n, start, start_step, leak, out, out_step);
}

/* Sum of the products of two rows, n a multiple of COLUMNS. */
static inline TARGET float OWN(product)(const float *a, const float *b, Py_ssize_t n)
{
    Lanes sums = SPREAD(0.0f);
    for (Py_ssize_t k = 0; k < n; k += LANES)
        sums = MULTIPLY_ADD(LOAD(a + k), LOAD(b + k), sums);
    return SUM(sums);
}

#undef PER_PASS
