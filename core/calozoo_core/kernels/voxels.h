/* A filled voxel of a shower, and a patch of points that is put into it. */

#ifndef CALOZOO_VOXELS_H
#define CALOZOO_VOXELS_H

#include <stdint.h>

enum { IS_EXACT = 1, IS_MIRRORED = 2, IS_SYMMETRIC = 4 };

typedef struct {
    float energy;
    int32_t row; /* shower times the number of layers, plus the layer */
    int32_t class_number;
    uint16_t cell;
    uint8_t flags;
    uint8_t unused;
} Voxel;

enum { TURN = 0x7f, MIRROR = 0x80 };

typedef struct {
    float scale;
    int32_t row;
    int32_t first; /* of its points */
    int16_t count;
    uint8_t turn; /* in the narrowest sectors; with a bit for the mirror image */
    uint8_t unused;
} Patch;

#endif
