#include "lanes.h"

int widest_lanes(void)
{
#if HAS_LANES
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        return 16;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return 8;
#endif
    return 0;
}

int asked_lanes(PyObject *given)
{
    long lanes = PyLong_AsLong(given);
    if (lanes == -1 && PyErr_Occurred())
        return -1;
    if ((lanes != 8 && lanes != 16) || lanes > widest_lanes()) {
        PyErr_SetString(PyExc_ValueError, "lanes must be 8 or 16, and the processor must have them.");
        return -1;
    }
    return (int)lanes;
}
