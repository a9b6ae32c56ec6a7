/* Loops of elementary functions of many numbers, for one kind of vector: plain C that compilers
   turn into vectors. Errors are below 2 units in the last place. */

/* Exponentials, in place; those of numbers beyond +-87 are those of +-87. */
static inline TARGET void OWN(exponentials)(float *x, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        float value = x[i];
        value = value > 87.0f ? 87.0f : value;
        value = value < -87.0f ? -87.0f : value;
        /* The nearest whole number: this sum has no digits behind the point. */
        float whole = (value * 1.44269504088896341f + 12582912.0f) - 12582912.0f;
        float r = (value - whole * 0.693359375f) + whole * 2.12194440e-4f, p;
        p = 1.9875691500e-4f;
        p = p * r + 1.3981999507e-3f;
        p = p * r + 8.3334519073e-3f;
        p = p * r + 4.1665795894e-2f;
        p = p * r + 1.6666665459e-1f;
        p = p * r + 5.0000001201e-1f;
        p = p * (r * r) + r + 1.0f;
        int32_t bits = ((int32_t)whole + 127) << 23;
        float power;
        memcpy(&power, &bits, sizeof power);
        x[i] = p * power;
    }
}

/* Natural logarithms of positive normal numbers, in place. */
static inline TARGET void OWN(logarithms)(float *x, Py_ssize_t n)
{
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t bits;
        float mantissa, p;
        memcpy(&bits, &x[i], sizeof bits);
        int32_t exponent = (bits >> 23) - 126;
        bits = (bits & 0x007fffff) | 0x3f000000;
        memcpy(&mantissa, &bits, sizeof mantissa);
        int32_t is_low = mantissa < 0.707106781186547524f;
        float e = (float)(exponent - is_low);
        mantissa = (is_low ? mantissa + mantissa : mantissa) - 1.0f;
        float square = mantissa * mantissa;
        p = 7.0376836292e-2f;
        p = p * mantissa - 1.1514610310e-1f;
        p = p * mantissa + 1.1676998740e-1f;
        p = p * mantissa - 1.2420140846e-1f;
        p = p * mantissa + 1.4249322787e-1f;
        p = p * mantissa - 1.6668057665e-1f;
        p = p * mantissa + 2.0000714765e-1f;
        p = p * mantissa - 2.4999993993e-1f;
        p = p * mantissa + 3.3333331174e-1f;
        p = p * mantissa * square - 2.12194440e-4f * e - 0.5f * square;
        x[i] = mantissa + p + 0.693359375f * e;
    }
}

/* Activation x / (1 + exp(-x)), in place. */
static inline TARGET void OWN(silu)(float *x, Py_ssize_t n)
{
    float part[64];
    for (Py_ssize_t first = 0; first < n; first += 64) {
        Py_ssize_t own = n - first < 64 ? n - first : 64;
        for (Py_ssize_t i = 0; i < own; i++)
            part[i] = -x[first + i];
        OWN(exponentials)(part, own);
        for (Py_ssize_t i = 0; i < own; i++)
            x[first + i] /= 1.0f + part[i];
    }
}
