// Fuzz target: DfuSe files, as they are and with the CRC made right, which no fuzzer guesses.
#include <string.h>
#include <zlib.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_image(data, size, IMAGE_DFUSE);
    uint8_t *copy = size >= 16 ? malloc(size) : NULL;
    if (copy) {
        memcpy(copy, data, size);
        st32(copy + 6, (uint32_t)size - 16);
        st32(copy + size - 4, ~(uint32_t)crc32(0, copy, (uInt)size - 4));
        fuzz_image(copy, size, IMAGE_DFUSE);
        free(copy);
    }
    return 0;
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_image_seed(IMAGE_DFUSE, i, out);
}
