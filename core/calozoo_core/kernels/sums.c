#include "sums.h"

float pairwise_sum(const float *a, Py_ssize_t n)
{
    float r[8], sum;
    Py_ssize_t i;

    if (n < 8) {
        sum = 0;
        for (i = 0; i < n; i++)
            sum += a[i];
        return sum;
    }
    for (int k = 0; k < 8; k++)
        r[k] = a[k];
    for (i = 8; i < n - n % 8; i += 8)
        for (int k = 0; k < 8; k++)
            r[k] += a[i + k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++)
        sum += a[i];
    return sum;
}

float ring_sum(const float *values, Py_ssize_t n)
{
    return n > 1 ? values[0] + pairwise_sum(values + 1, n - 1) : values[0];
}
