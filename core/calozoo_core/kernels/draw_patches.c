/* Patches of a table that are put into voxels; see calozoo_core.clumps.lookup. */

#include "filling.h"
#include "mesh.h"
#include "voxels.h"

enum { LEVELS = 1 << 13, BLOCK = 128 /* a byte counts them */ };

typedef struct {
    Py_ssize_t n_classes, n_runs, n_entries, n_patches, n_points;
    const int32_t *runs, *start, *patch, *first;
    const uint16_t *level;
    const float *energy;
    float most_apart;
} Table;

static int is_apart(float ratio, float most_apart)
{
    float inverse = 1.0f / ratio;
    return (ratio > inverse ? ratio : inverse) > most_apart;
}

/* Voxels of which patches are looked up together. */
typedef struct {
    const Voxel *voxels;
    const uint32_t *levels;
    const uint8_t *coins;
    int32_t patches[BLOCK], runs[BLOCK]; /* what was found, and where */
} Lookup;

static float ratio_of(const Table *table, const Lookup *lookup, Py_ssize_t i)
{
    return lookup->voxels[i].energy / table->energy[lookup->patches[i]];
}

/* Levels among which that of a voxel is searched: `left` of them, the first at `low`. */
typedef struct {
    const uint16_t *low;
    uint32_t left, level;
    int32_t run;
} Search;

/* Halve what is searched until one level is left, of all n voxels in turn: all are larger than a
   cache, and the memory is waited for once for a step of all, not once for a step of each. */
static void search_together(Search *searches, int n)
{
    uint8_t active[BLOCK];
    int count = 0;

    for (int k = 0; k < n; k++) {
        active[count] = (uint8_t)k;
        count += searches[k].left > 1;
    }
    while (count) {
        int kept = 0;
        for (int j = 0; j < count; j++) {
            Search *own = searches + active[j];
            uint32_t half = own->left / 2;
            /* No branch, which would be mispredicted every other time. */
            own->low += half & -(uint32_t)(own->low[half - 1] < own->level);
            own->left -= half;
            PREFETCH(own->low + own->left / 2 - (own->left > 1));
            active[kept] = active[j];
            kept += own->left > 1;
        }
        count = kept;
    }
}

/* Look up the patches of n voxels of a block in classes of kind 0 (narrow) to 2 (wide), next to
   their energy levels; -1 for a damaged table.

   What will be read is asked for ahead: each voxel's is elsewhere in the memory. */
static int look_up(const Table *table, int kind, Lookup *lookup, const int *which, int n)
{
    Py_ssize_t entries[BLOCK];
    Search searches[BLOCK];
    const int32_t *runs = table->runs + kind * table->n_classes;

    for (int k = 0; k < n; k++)
        PREFETCH(runs + lookup->voxels[which[k]].class_number);
    for (int k = 0; k < n; k++) {
        int32_t run = runs[lookup->voxels[which[k]].class_number];
        if (run < 0 || run >= table->n_runs)
            return -1;
        searches[k].run = lookup->runs[which[k]] = run;
        PREFETCH(table->start + run);
    }
    for (int k = 0; k < n; k++) {
        Search *own = searches + k;
        Py_ssize_t start = table->start[own->run], last = (Py_ssize_t)table->start[own->run + 1] - 1;
        if (start < 0 || last < start || last >= table->n_entries)
            return -1;
        own->low = table->level + start;
        own->left = (uint32_t)(last + 1 - start);
        own->level = lookup->levels[which[k]];
        PREFETCH(own->low + own->left / 2 - (own->left > 1));
    }
    search_together(searches, n);
    for (int k = 0; k < n; k++) {
        const Search *own = searches + k;
        Py_ssize_t start = table->start[own->run], last = (Py_ssize_t)table->start[own->run + 1] - 1;
        Py_ssize_t at = own->low - table->level + (*own->low < own->level);
        at += (lookup->coins[which[k]] & 3) - 2;
        /* The first entries are the patches themselves. */
        entries[k] = (at < start ? start : at > last ? last : at) - table->n_patches;
        if (entries[k] >= 0)
            PREFETCH(table->patch + entries[k]);
    }
    for (int k = 0; k < n; k++) {
        Py_ssize_t entry = entries[k];
        int32_t patch = entry < 0 ? (int32_t)(entry + table->n_patches) : table->patch[entry];
        if (patch < 0 || patch >= table->n_patches)
            return -1;
        lookup->patches[which[k]] = patch;
        PREFETCH(table->energy + patch);
        PREFETCH(table->first + patch);
    }
    return 0;
}

/* `widths` are those of the sectors of each ring, in the narrowest ones. */
static int finish(const Table *table, const Mesh *mesh, const int32_t *widths,
                  const Lookup *lookup, Py_ssize_t i, Patch *result)
{
    const Voxel *voxel = lookup->voxels + i;
    int32_t patch = lookup->patches[i], ring = mesh->ring[voxel->cell];
    float ratio = ratio_of(table, lookup, i);
    int is_exact = (voxel->flags & IS_EXACT) || is_apart(ratio, table->most_apart);
    int mirror = (voxel->flags & IS_SYMMETRIC) ? (lookup->coins[i] & 4) != 0
                                               : (voxel->flags & IS_MIRRORED) != 0;
    int32_t turn = (voxel->cell - mesh->start[ring] + mirror) * widths[ring];
    int64_t first = table->first[patch], count = table->first[patch + 1] - first;

    if (count < 0 || count > INT16_MAX || first < 0 || first + count > table->n_points)
        return -1;
    result->scale = is_exact ? ratio : 1.0f;
    result->row = voxel->row;
    result->first = (int32_t)first;
    result->count = (int16_t)count;
    result->turn = (uint8_t)((turn < mesh->most ? turn : 0) | (mirror ? MIRROR : 0));
    result->unused = 0;
    return 0;
}

static int draw_all(const Table *table, const Mesh *mesh, const Voxel *voxels,
                    const uint32_t *levels, const uint8_t *coins, Py_ssize_t n, Patch *patches,
                    int64_t *sums, uint32_t n_layers, Py_ssize_t n_rows)
{
    int32_t widths[MOST_RINGS];

    for (Py_ssize_t ring = 0; ring < mesh->n_rings; ring++)
        widths[ring] = mesh->most / mesh->sectors[ring];
    for (Py_ssize_t start = 0; start < n; start += BLOCK) {
        int size = n - start < BLOCK ? (int)(n - start) : BLOCK, left = size;
        int which[BLOCK], others[BLOCK];
        Lookup lookup = {voxels + start, levels + start, coins + start, {0}, {0}};

        for (int i = 0; i < size; i++) {
            const Voxel *voxel = lookup.voxels + i;
            if (voxel->class_number < 0 || voxel->class_number >= table->n_classes ||
                voxel->cell >= mesh->n_cells || voxel->row < 0 || voxel->row >= n_rows ||
                lookup.levels[i] >= LEVELS)
                return -1;
            which[i] = i;
        }
        if (look_up(table, 0, &lookup, which, size) < 0)
            return -1;
        /* Those whose energy is far from the patch's look in a wider class, if it is another. */
        for (int kind = 1; kind < 3; kind++) {
            const int32_t *wider = table->runs + kind * table->n_classes;
            int apart = 0, other = 0;
            for (int k = 0; k < left; k++) {
                int i = which[k];
                if (!is_apart(ratio_of(table, &lookup, i), table->most_apart))
                    continue;
                which[apart++] = i;
                if (wider[lookup.voxels[i].class_number] != lookup.runs[i])
                    others[other++] = i;
            }
            left = apart;
            if (look_up(table, kind, &lookup, others, other) < 0)
                return -1;
        }
        for (int i = 0; i < size; i++) {
            if (finish(table, mesh, widths, &lookup, i, patches + start + i) < 0)
                return -1;
            /* Divided as 32 bits, which is faster than 64. */
            sums[(uint32_t)lookup.voxels[i].row / n_layers] += patches[start + i].count;
        }
    }
    return 0;
}

enum {
    VOXELS, LEVEL, COINS, CELLS, RINGS, RUNS, START, LEVELS_OF, PATCH, FIRST, ENERGY, PATCHES,
    SUMS, N_ARRAYS
};

static const Argument WANTED[N_ARRAYS] = {
    {"voxels", 'V', 0}, {"level", 'I', 0}, {"coins", 'B', 0},  {"cells", 'i', 0},
    {"rings", 'i', 0},  {"runs", 'i', 0},  {"start", 'i', 0},  {"levels", 'H', 0},
    {"patch", 'i', 0},  {"first", 'i', 0}, {"energy", 'f', 0}, {"patches", 'V', 1},
    {"sums", 'q', 1},
};

PyObject *draw_patches(PyObject *Py_UNUSED(module), PyObject *const *given, Py_ssize_t count)
{
    Array arrays[N_ARRAYS];
    Mesh mesh;
    Table table;
    PyObject *result = NULL;
    int failed;

    if (count != N_ARRAYS + 3) {
        PyErr_SetString(PyExc_TypeError, "draw_patches takes 16 arguments.");
        return NULL;
    }
    Py_ssize_t n_layers = whole_number(given[N_ARRAYS], "n_layers", 1, 1 << 20);
    table.n_points = whole_number(given[N_ARRAYS + 1], "n_points", 0, INT32_MAX);
    table.most_apart = (float)PyFloat_AsDouble(given[N_ARRAYS + 2]);
    if (PyErr_Occurred() || open_arrays(arrays, WANTED, given, N_ARRAYS) < 0)
        return NULL;
    if (read_mesh(&mesh, &arrays[CELLS], &arrays[RINGS]) < 0)
        goto close;
    Py_ssize_t n = arrays[LEVEL].length;
    table.n_classes = arrays[RUNS].length / 3;
    table.n_runs = arrays[START].length - 1;
    table.n_entries = arrays[LEVELS_OF].length;
    table.n_patches = arrays[ENERGY].length;
    if (check_length(&arrays[VOXELS], &WANTED[VOXELS], n * (Py_ssize_t)sizeof(Voxel)) < 0 ||
        check_length(&arrays[PATCHES], &WANTED[PATCHES], n * (Py_ssize_t)sizeof(Patch)) < 0 ||
        check_length(&arrays[COINS], &WANTED[COINS], n) < 0 ||
        check_length(&arrays[PATCH], &WANTED[PATCH], table.n_entries - table.n_patches) < 0 ||
        check_length(&arrays[FIRST], &WANTED[FIRST], table.n_patches + 1) < 0)
        goto close;
    table.runs = INTS(arrays[RUNS]);
    table.start = INTS(arrays[START]);
    table.level = arrays[LEVELS_OF].buffer.buf;
    table.patch = INTS(arrays[PATCH]);
    table.first = INTS(arrays[FIRST]);
    table.energy = FLOATS(arrays[ENERGY]);
    int64_t *sums = arrays[SUMS].buffer.buf;
    Py_ssize_t n_showers = arrays[SUMS].length;
    Py_BEGIN_ALLOW_THREADS
    for (Py_ssize_t i = 0; i < n_showers; i++)
        sums[i] = 0;
    failed = draw_all(&table, &mesh, (const Voxel *)arrays[VOXELS].buffer.buf, KEYS(arrays[LEVEL]),
                      BYTES(arrays[COINS]), n, (Patch *)arrays[PATCHES].buffer.buf, sums,
                      (uint32_t)n_layers, n_showers * n_layers);
    Py_END_ALLOW_THREADS
    if (failed)
        contradiction("table");
    else
        result = Py_NewRef(Py_None);
close:
    close_arrays(arrays, N_ARRAYS);
    return result;
}
