#include "flows.h"

int read_sizes(PyObject *const *given, const Size *wanted, int count, Py_ssize_t *sizes)
{
    for (int k = 0; k < count; k++) {
        sizes[k] = whole_number(given[k], wanted[k].name, wanted[k].low, wanted[k].high);
        if (sizes[k] == -1)
            return -1;
    }
    return 0;
}
