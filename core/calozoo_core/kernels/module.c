/* Module calozoo_core.kernels._compiled: what numpy does in many small steps, in one each. */

#include "convolution.h"
#include "filling.h"
#include "flows.h"
#include "lanes.h"
#include "library.h"
#include "points.h"
#include "rings.h"
#include "spline.h"

static PyMethodDef METHODS[] = {
    {"find_voxels", (PyCFunction)(void (*)(void))find_voxels, METH_FASTCALL, NULL},
    {"random_bytes", (PyCFunction)(void (*)(void))random_bytes, METH_FASTCALL, NULL},
    {"draw_patches", (PyCFunction)(void (*)(void))draw_patches, METH_FASTCALL, NULL},
    {"place_points", (PyCFunction)(void (*)(void))place_points, METH_FASTCALL, NULL},
    {"nearest_showers", (PyCFunction)(void (*)(void))nearest_showers, METH_FASTCALL, NULL},
    {"match_layers", (PyCFunction)(void (*)(void))match_layers, METH_FASTCALL, NULL},
    {"voxels_around", (PyCFunction)(void (*)(void))voxels_around, METH_FASTCALL, NULL},
    {"spline_bins", (PyCFunction)(void (*)(void))spline_bins, METH_FASTCALL, NULL},
    {"spline_inverse", (PyCFunction)(void (*)(void))spline_inverse, METH_FASTCALL, NULL},
    {"sum_rings", (PyCFunction)(void (*)(void))sum_rings, METH_FASTCALL, NULL},
    {"convolve_3x3", (PyCFunction)(void (*)(void))convolve_3x3, METH_FASTCALL, NULL},
    {"couple_splines", (PyCFunction)(void (*)(void))couple_splines, METH_FASTCALL, NULL},
    {"fill_cells", (PyCFunction)(void (*)(void))fill_cells, METH_FASTCALL, NULL},
    {"sample_layers", (PyCFunction)(void (*)(void))sample_layers, METH_FASTCALL, NULL},
    {"split_cells", (PyCFunction)(void (*)(void))split_cells, METH_FASTCALL, NULL},
    {"sorted_points", (PyCFunction)(void (*)(void))sorted_points, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};

/* Number that changes with the arguments of a kernel: Python uses kernels of its own number only. */
enum { INTERFACE = 10 };

static int add_numbers(PyObject *module)
{
    if (PyModule_AddIntConstant(module, "LANES", widest_lanes()) < 0)
        return -1;
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot SLOTS[] = {
    {Py_mod_exec, (void *)add_numbers},
    {0, NULL},
};

static struct PyModuleDef MODULE = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_compiled",
    .m_size = 0,
    .m_methods = METHODS,
    .m_slots = SLOTS,
};

PyMODINIT_FUNC PyInit__compiled(void)
{
    return PyModuleDef_Init(&MODULE);
}
