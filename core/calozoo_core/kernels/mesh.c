#include "mesh.h"

int read_mesh(Mesh *mesh, const Array *cells, const Array *rings)
{
    Py_ssize_t n = cells->length / 8, n_rings = rings->length / 2;
    const int32_t *column = INTS(*cells);
    const int32_t **columns[] = {&mesh->before, &mesh->after,     &mesh->inner, &mesh->inner_too,
                                 &mesh->outer,  &mesh->outer_too, &mesh->ring,  &mesh->mirror};

    mesh->n_cells = n;
    mesh->n_rings = n_rings;
    mesh->start = INTS(*rings);
    mesh->sectors = INTS(*rings) + n_rings;
    mesh->most = 0;
    if (n < 1 || n > MOST_CELLS || cells->length != 8 * n || n_rings < 1 ||
        n_rings > MOST_RINGS || rings->length != 2 * n_rings)
        goto wrong;
    for (int k = 0; k < 8; k++, column += n) {
        int32_t limit = (int32_t)(k < 6 ? n + 1 : k == 6 ? n_rings : n);
        *columns[k] = column;
        for (Py_ssize_t i = 0; i < n; i++)
            if (column[i] < 0 || column[i] >= limit)
                goto wrong;
    }
    for (Py_ssize_t r = 0; r < n_rings; r++) {
        int32_t sectors = mesh->sectors[r];
        if (sectors < 1 || sectors > MOST_SECTORS || mesh->start[r] < 0 ||
            mesh->start[r] > n - sectors)
            goto wrong;
        if (sectors > mesh->most)
            mesh->most = sectors;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        int32_t sector = (int32_t)i - mesh->start[mesh->ring[i]];
        if (sector < 0 || sector >= mesh->sectors[mesh->ring[i]])
            goto wrong;
    }
    return 0;
wrong:
    contradiction("mesh");
    return -1;
}
