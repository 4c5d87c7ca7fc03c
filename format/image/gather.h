// Containers that scatter their bytes over small records (UF2 blocks, HEX records): the records'
// bytes are gathered into segments, and each record remembers where its bytes went.
#ifndef FORMAT_IMAGE_GATHER_H
#define FORMAT_IMAGE_GATHER_H

#include "format/image/container.h"

struct image_piece {
    uint64_t addr;
    uint32_t size; // bytes
    size_t at;     // file offset of the record's data
    uint8_t *data; // where the bytes are in the segment; set by image_gather
};

struct image_pieces {
    struct image_piece *items;
    size_t n, cap;
};

// False when memory is exhausted.
bool image_piece_add(struct arena *a, struct image_pieces *p, uint64_t addr, uint32_t size,
                     size_t at);
// Sorts the pieces by address, makes one segment of each contiguous run and one buffer for it. The
// bytes are the caller's to fill in. Errors: DIAG_MALFORMED when pieces overlap, naming field.
enum diag_code image_gather(struct image *img, struct image_pieces *p, const char *field,
                            const char *segment_name, struct diag *d);

#endif
