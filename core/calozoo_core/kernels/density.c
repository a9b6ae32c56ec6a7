/* Densities of a number in which a spline of normal noise is scaled and shifted. */

#include <math.h>

#include "density.h"
#include "spline.h"

static const float BOUND = 5, LARGEST_LOG_SCALE = 7;

/* Coefficients of the polynomials above and below a fraction, the highest power first. */
static const double CENTRAL[2][8] = {
    {2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
     13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608},
    {5226.495278852545925, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
     5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1.0}};
static const double MIDDLE[2][8] = {
    {7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177,
     1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959,
     1.42343711074968357734},
    {1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966,
     0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0}};
static const double FAR[2][8] = {
    {2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386,
     0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358,
     5.4637849111641143699, 6.6579046435011037772},
    {2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5,
     7.868691311456132591e-4, 0.0148753612908506148525, 0.13692988092273580531,
     0.59983220655588793769, 1.0}};

static double ratio(double x, const double polynomials[2][8])
{
    double above = polynomials[0][0], below = polynomials[1][0];
    for (int k = 1; k < 8; k++) {
        above = above * x + polynomials[0][k];
        below = below * x + polynomials[1][k];
    }
    return above / below;
}

float normal_quantile(double probability)
{
    double p = probability < 1e-12 ? 1e-12 : probability > 1 - 1e-12 ? 1 - 1e-12 : probability;
    double q = p - 0.5;

    if (fabs(q) <= 0.425)
        return (float)(q * ratio(0.180625 - q * q, CENTRAL));
    double r = sqrt(-log(q < 0 ? p : 1 - p));
    double magnitude = r <= 5 ? ratio(r - 1.6, MIDDLE) : ratio(r - 5, FAR);
    return (float)copysign(magnitude, q);
}

static float slope(float raw)
{
    float x = raw + 0.539742417f; /* which makes a slope of 1 of a raw 0 */
    float softplus = log1pf(expf(x < 30 ? x : 30));
    return (softplus > x ? softplus : x) + 1e-3f;
}

float density_value(const float *raw, const float *sizes, int bins, float noise, float mean,
                    float std)
{
    float bin[N_BIN], knots[2], scale = raw[1];
    uint8_t ends;

    find_bin(sizes, raw + 2 + 2 * bins, 1, bins, BOUND, noise, bin, knots, &ends, 1);
    for (int k = 0; k < 2; k++)
        knots[k] = slope(knots[k]);
    float value = invert_bin(bin, knots, ends, 1, BOUND, noise);
    scale = scale < -LARGEST_LOG_SCALE ? -LARGEST_LOG_SCALE
            : scale > LARGEST_LOG_SCALE ? LARGEST_LOG_SCALE
                                        : scale;
    return (value * expf(scale) + raw[0]) * std + mean;
}
