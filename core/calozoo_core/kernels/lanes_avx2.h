/* Macros of lanes.h for AVX2: vectors of 8. */

#define TARGET __attribute__((target("avx2,fma")))
#define OWN(name) name##_avx2
#define LANES 8
#define Lanes __m256
#define LOAD(at) _mm256_loadu_ps(at)
#define STORE(at, v) _mm256_storeu_ps(at, v)
#define SPREAD(number) _mm256_set1_ps(number)
#define ADD(a, b) _mm256_add_ps(a, b)
#define MULTIPLY(a, b) _mm256_mul_ps(a, b)
#define MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define LARGER(a, b) _mm256_max_ps(a, b)
#define SUM(v)                                                                                     \
    _mm_cvtss_f32(_mm_hadd_ps(                                                                     \
        _mm_hadd_ps(_mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1)),            \
                    _mm_setzero_ps()),                                                             \
        _mm_setzero_ps()))
