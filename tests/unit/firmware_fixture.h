// A small raw Thumb image with everything the scan looks for, made for one layout.
#ifndef TESTS_UNIT_FIRMWARE_FIXTURE_H
#define TESTS_UNIT_FIRMWARE_FIXTURE_H

#include "format/firmware/firmware.h"

struct firmware_layout { // what to make
    unsigned minor;      // of release 1.minor.0
    enum fw_repr repr;
    unsigned hash_bytes, len_bytes;
};

struct firmware_made { // the image and the truth about it
    uint8_t data[32768];
    uint32_t size;
    uint32_t base, pools[2], type, names, content, module, code;
    uint32_t names_literals[2], content_literal, pool_literals[2], lookup;
};

void firmware_make(const struct firmware_layout *layout, struct firmware_made *out);

#endif
