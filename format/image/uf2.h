// What the UF2 container shares with the conversion to it.
#ifndef FORMAT_IMAGE_UF2_H
#define FORMAT_IMAGE_UF2_H

#include "format/bytes.h"

enum { UF2_PAYLOAD = 256 }; // data bytes of the blocks we write: what all boot loaders take

// Appends block number of count.
void uf2_put_block(bool named, uint32_t family, uint32_t addr, const uint8_t data[UF2_PAYLOAD],
                   uint32_t number, uint32_t count, struct bytes_out *out);

#endif
