/* Macros of lanes.h for AVX-512: vectors of 16. */

#define TARGET __attribute__((target("avx512f")))
#define OWN(name) name##_avx512
#define LANES 16
#define Lanes __m512
#define LOAD(at) _mm512_loadu_ps(at)
#define STORE(at, v) _mm512_storeu_ps(at, v)
#define SPREAD(number) _mm512_set1_ps(number)
#define ADD(a, b) _mm512_add_ps(a, b)
#define MULTIPLY(a, b) _mm512_mul_ps(a, b)
#define MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define LARGER(a, b) _mm512_max_ps(a, b)
#define SUM(v) _mm512_reduce_add_ps(v)
