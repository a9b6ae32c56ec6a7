/* Matrices of networks, as products.h multiplies with them. */

#ifndef CALOZOO_PRODUCTS_TYPES_H
#define CALOZOO_PRODUCTS_TYPES_H

#include "arrays.h"

/* Columns of a block of a matrix; matrices are filled up with columns of zeros. */
enum { COLUMNS = 32 };

/* Rows whose sums stay in registers. */
enum { ROWS_AT_ONCE = 5 };

/* Matrix of shape (length, columns), stored as (columns / COLUMNS, length, COLUMNS). */
typedef struct {
    const float *weight;
    Py_ssize_t length, columns;
} Matrix;

/* Reader of an array in which the matrices and vectors of a network follow each other. */
typedef struct {
    const float *at;
    Py_ssize_t left;
    int is_short;
} Reader;

static inline const float *read_vector(Reader *reader, Py_ssize_t length)
{
    const float *at = reader->at;
    if (reader->is_short || length > reader->left) {
        reader->is_short = 1;
        return at;
    }
    reader->at += length;
    reader->left -= length;
    return at;
}

static inline Matrix read_matrix(Reader *reader, Py_ssize_t length, Py_ssize_t columns)
{
    Matrix matrix = {read_vector(reader, length * columns), length, columns};
    return matrix;
}

/* Width filled up to whole blocks. */
static inline Py_ssize_t filled(Py_ssize_t width)
{
    return (width + COLUMNS - 1) / COLUMNS * COLUMNS;
}

#endif
