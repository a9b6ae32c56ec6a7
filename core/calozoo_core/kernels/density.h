/* Densities of a number in which a spline of normal noise is scaled and shifted. */

#ifndef CALOZOO_DENSITY_H
#define CALOZOO_DENSITY_H

#include "arrays.h"

/* Quantile of the standard normal distribution, probabilities cut off at 1e-12 and 1 - 1e-12.

   Wichura, Algorithm AS 241: The percentage points of the normal distribution,
   https://doi.org/10.2307/2347330 */
float normal_quantile(double probability);

/* Number of a density.

   raw: mean, logarithm of the scale, widths, heights and inner slopes of the bins.
   sizes: exponentials of the widths and heights.
   noise: standard normal. */
float density_value(const float *raw, const float *sizes, int bins, float noise, float mean,
                    float std);

#endif
