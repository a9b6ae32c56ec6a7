/* Loops of split_cells, for one kind of vector. */

/* Logarithmic maps of n energies. */
static TARGET void OWN(log_map)(const float *energy, Py_ssize_t n, float *map)
{
    for (Py_ssize_t i = 0; i < n; i++)
        map[i] = 1.0f + energy[i] / FLOOR_MEV;
    OWN(logarithms)(map, n);
    for (Py_ssize_t i = 0; i < n; i++)
        map[i] /= 2;
}

/* Index of the pattern at uniform noise; the logarithmic weights become weights.

   First the group of patterns, then the one in it: most need not be added up one by one. */
static TARGET Py_ssize_t OWN(pattern)(float *weight, Py_ssize_t n, double noise)
{
    Py_ssize_t width = (n + GROUPS - 1) / GROUPS, group = 0, member = 0;
    Py_ssize_t whole = n - n % LANES;
    float each[LANES], most = weight[n - 1];
    double sums[GROUPS], total = 0;
    Lanes largest = SPREAD(most);

    for (Py_ssize_t i = 0; i < whole; i += LANES)
        largest = LARGER(largest, LOAD(weight + i));
    STORE(each, largest);
    for (int i = 0; i < LANES; i++)
        most = each[i] > most ? each[i] : most;
    for (Py_ssize_t i = whole; i < n; i++)
        most = weight[i] > most ? weight[i] : most;
    for (Py_ssize_t i = 0; i < n; i++)
        weight[i] -= most;
    OWN(exponentials)(weight, n);
    for (Py_ssize_t k = 0; k < GROUPS; k++) {
        Py_ssize_t first = k * width, stop = first + width < n ? first + width : n, i = first;
        double part[8] = {0};
        for (; i + 8 <= stop; i += 8)
            for (int j = 0; j < 8; j++)
                part[j] += (double)weight[i + j];
        for (; i < stop; i++)
            part[0] += (double)weight[i];
        total += ((part[0] + part[1]) + (part[2] + part[3])) +
                 ((part[4] + part[5]) + (part[6] + part[7]));
        sums[k] = total;
    }
    double height = noise * total, sum = 0;
    while (group < GROUPS - 1 && sums[group] < height)
        group++;
    height -= group ? sums[group - 1] : 0;
    for (; member < width - 1 && group * width + member < n; member++) {
        sum += (double)weight[group * width + member];
        if (!(sum < height))
            break;
    }
    member += group * width;
    return member < n ? member : n - 1;
}

/* Features of a cell that depend on its place. */
static TARGET void OWN(cell_features)(const SplitFlow *flow, const Planes *planes, Py_ssize_t row,
                                      Py_ssize_t column, float *out)
{
    Py_ssize_t split = flow->split, side = flow->cells + 2, fine_side = flow->cells * split + 2;

    for (Py_ssize_t r = 0; r < 3; r++)
        for (Py_ssize_t c = 0; c < 3; c++)
            *out++ = planes->coarse[(row + r) * side + column + c];
    for (int back = 0; back < PREVIOUS_LAYERS; back++)
        for (Py_ssize_t r = 0; r < split + 2; r++) {
            memcpy(out, planes->fine[back] + (row * split + r) * fine_side + column * split,
                   (size_t)(split + 2) * sizeof(float));
            out += split + 2;
        }
    memcpy(out, flow->position + (row * flow->cells + column) * POSITION_FEATURES,
           POSITION_FEATURES * sizeof(float));
}

/* Shares of one member of a group in what the members before it left, for those cells of a chunk
   where it is hit and another one after it; else 1 or, if it is not hit, 0. */
static TARGET void OWN(fractions)(const SplitFlow *flow, const Sticks *sticks, int group, int member,
                                  Chunk *chunk, float *shares)
{
    Py_ssize_t split = flow->split, step = flow->step, number = 0;
    int block = group * ((int)split - 1) + member;
    Matrix first = sticks->first;

    for (Py_ssize_t i = 0; i < chunk->number; i++) {
        const double *noise = chunk->noise + i * flow->noise + sticks->noise;
        int hits = sticks->is_rows ? chunk->rows[i] : chunk->pattern[i] >> (group * split);
        int is_hit = hits >> member & 1, after = (hits & ((1 << split) - 1)) >> (member + 1);
        shares[i] = (float)is_hit;
        if (!is_hit || !after)
            continue;
        memcpy(chunk->gathered + number * flow->inputs, chunk->known + i * flow->inputs,
               (size_t)flow->inputs * sizeof(float));
        chunk->values[number] = normal_quantile(noise[block]);
        chunk->which[number++] = (int32_t)i;
    }
    first.weight += block * step * first.length;
    first.columns = step;
    OWN(products)(&first, chunk->gathered, flow->inputs, number, sticks->first_bias + block * step,
                  0, 1, chunk->hidden, step);
    OWN(silu)(chunk->hidden, number * step);
    OWN(products)(&sticks->second, chunk->hidden, step, number, sticks->second_bias, 0, 1,
                  chunk->hidden_too, step);
    OWN(silu)(chunk->hidden_too, number * step);
    OWN(products)(&sticks->head, chunk->hidden_too, step, number, sticks->head_bias, 0, 1,
                  chunk->hidden, sticks->head.columns);
    OWN(densities)(chunk->hidden, sticks->head.columns, number, flow->bins, MEAN, STD,
                   chunk->values);
    for (Py_ssize_t k = 0; k < number; k++)
        shares[chunk->which[k]] = (float)(1 / (1 + exp(-(double)chunk->values[k])));
}

/* Shares of all members of a group, into rows of `split` numbers that are `step` apart. */
static TARGET void OWN(break_stick)(const SplitFlow *flow, const Sticks *sticks, int group,
                                    Chunk *chunk, float *shares, Py_ssize_t step)
{
    int split = (int)flow->split;
    float *fraction = chunk->fraction, *rest = chunk->rest;

    for (Py_ssize_t i = 0; i < chunk->number; i++)
        rest[i] = 1;
    for (int member = 0; member < split; member++) {
        if (member < split - 1)
            OWN(fractions)(flow, sticks, group, member, chunk, fraction);
        for (Py_ssize_t i = 0; i < chunk->number; i++) {
            int hits = sticks->is_rows ? chunk->rows[i] : chunk->pattern[i] >> (group * split);
            float own = member < split - 1 ? fraction[i] : (float)(hits >> member & 1);
            shares[i * step + member] = own * rest[i];
            rest[i] -= shares[i * step + member];
        }
    }
}

/* Energies of the sub-cells of a chunk, (number, split^2), into chunk->energies. */
static TARGET void OWN(split_chunk)(const SplitFlow *flow, const float *start, Chunk *chunk)
{
    Py_ssize_t split = flow->split, members = split * split, hidden = flow->hidden;
    Py_ssize_t patterns = ((Py_ssize_t)1 << members) - 1, n = chunk->number;
    float *logs = chunk->logs;

    OWN(products)(&flow->first, chunk->features, flow->features, n, start, 0, 1, chunk->wide,
                  hidden);
    OWN(silu)(chunk->wide, n * hidden);
    OWN(products)(&flow->second, chunk->wide, hidden, n, flow->second_bias, 0, 1, chunk->known,
                  flow->inputs);
    for (Py_ssize_t i = 0; i < n; i++)
        OWN(silu)(chunk->known + i * flow->inputs, hidden);
    OWN(products)(&flow->pattern, chunk->known, flow->inputs, n, flow->pattern_bias, 0, 1,
                  chunk->wide, flow->pattern.columns);
    for (Py_ssize_t i = 0; i < n; i++) {
        int pattern = 1 + (int)OWN(pattern)(chunk->wide + i * flow->pattern.columns, patterns,
                                            chunk->noise[i * flow->noise]);
        int rows = 0;
        for (int k = 0; k < split; k++)
            rows |= ((pattern >> (k * split) & ((1 << split) - 1)) != 0) << k;
        for (Py_ssize_t k = 0; k < members; k++)
            chunk->known[i * flow->inputs + hidden + k] = (float)(pattern >> k & 1);
        chunk->pattern[i] = pattern;
        chunk->rows[i] = rows;
    }
    OWN(break_stick)(flow, &flow->rows, 0, chunk, logs, split);
    for (Py_ssize_t i = 0; i < n; i++)
        for (Py_ssize_t k = 0; k < split; k++) {
            chunk->shares[i * split + k] = logs[i * split + k];
            logs[i * split + k] *= chunk->energy[i];
        }
    OWN(log_map)(logs, n * split, logs);
    for (Py_ssize_t i = 0; i < n; i++)
        memcpy(chunk->known + i * flow->inputs + hidden + members, logs + i * split,
               (size_t)split * sizeof(float));
    for (int group = 0; group < split; group++)
        OWN(break_stick)(flow, &flow->columns, group, chunk, chunk->energies + group * split,
                         members);
    for (Py_ssize_t i = 0; i < n; i++)
        for (Py_ssize_t k = 0; k < members; k++)
            chunk->energies[i * members + k] *=
                chunk->shares[i * split + k / split] * chunk->energy[i];
}

/* Sub-cells of one layer, behind those before; returns how many cells were split. */
static TARGET Py_ssize_t OWN(split_layer)(const SplitFlow *flow, const float *cells,
                                          const float *condition, const double *noise,
                                          Chunk *chunk, Planes *planes, SubCells *out)
{
    Py_ssize_t side = flow->cells, split = flow->split, members = split * split, done = 0;
    Py_ssize_t fine_side = side * split + 2;
    float *latest = planes->fine[PREVIOUS_LAYERS - 1];

    for (Py_ssize_t row = 0; row < side; row++) {
        float *map = planes->coarse + (row + 1) * (side + 2) + 1;
        OWN(log_map)(cells + row * side, side, map);
        for (Py_ssize_t column = 0; column < side; column++) {
            if (!(cells[row * side + column] > 0))
                map[column] = 0;
        }
    }
    OWN(products)(&flow->of_condition, condition, flow->condition, 1, flow->first_bias, 0, 1,
                  chunk->start, flow->hidden);
    Py_ssize_t first = out->number;
    for (Py_ssize_t at = 0; at < side * side;) {
        chunk->number = 0;
        chunk->noise = noise + done * flow->noise;
        for (; at < side * side && chunk->number < CHUNK; at++)
            if (cells[at] > 0) {
                OWN(cell_features)(flow, planes, at / side, at % side,
                                   chunk->features + chunk->number * flow->features);
                chunk->energy[chunk->number] = cells[at];
                chunk->cell[chunk->number++] = (int32_t)at;
            }
        if (done + chunk->number > out->room)
            return -1;
        done += chunk->number;
        if (chunk->number)
            OWN(split_chunk)(flow, chunk->start, chunk);
        for (Py_ssize_t k = 0; k < chunk->number * members; k++)
            if (chunk->energies[k] >= flow->least) {
                Py_ssize_t cell = chunk->cell[k / members], member = k % members;
                out->row[out->number] = cell / side * split + member / split;
                out->column[out->number] = cell % side * split + member % split;
                out->energy[out->number++] = chunk->energies[k];
            }
    }
    /* The oldest plane is emptied, and holds this layer from now on. */
    for (Py_ssize_t k = 0; k < planes->number[PREVIOUS_LAYERS - 1]; k++)
        latest[planes->filled[PREVIOUS_LAYERS - 1][k]] = 0;
    int32_t *filled_places = planes->filled[PREVIOUS_LAYERS - 1];
    for (int back = PREVIOUS_LAYERS - 1; back > 0; back--) {
        planes->fine[back] = planes->fine[back - 1];
        planes->filled[back] = planes->filled[back - 1];
        planes->number[back] = planes->number[back - 1];
    }
    planes->fine[0] = latest;
    planes->filled[0] = filled_places;
    planes->number[0] = out->number - first;
    OWN(log_map)(out->energy + first, out->number - first, planes->maps);
    for (Py_ssize_t k = first; k < out->number; k++) {
        int32_t place = (int32_t)((out->row[k] + 1) * fine_side + out->column[k] + 1);
        filled_places[k - first] = place;
        latest[place] = planes->maps[k - first];
    }
    return done;
}
