// Fuzz target: the text of a board file, with the built-in table to build on.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "packer/boards/board.h"
#include "tests/fuzz/fuzz.h"

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    static const char *const seeds[] = {
        "[A]\nlike = PYBV11\nfs = 0x080c0000:256K 1:2\nby-offset = yes\n",
        "; c\n[B]\ntitle = T\nalias = x y\nmachine = M | N\n  more\nflash = 0x0:4M\n[C]\nlike = "
        "B\n",
    };
    if (i >= sizeof seeds / sizeof *seeds) {
        return false;
    }
    bytes_put(out, seeds[i], strlen(seeds[i]));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boards *all, *own;
    struct arena a;
    struct diag d;
    char *text = malloc(size + 1);
    if (!text) {
        return 0;
    }
    memcpy(text, data, size);
    text[size] = 0;
    arena_init(&a, 64u << 20);
    diag_init(&d);
    if (boards_load(&a, &d, &all) == DIAG_OK &&
        boards_parse(text, "fuzz.ini", all, &a, &d, &own) == DIAG_OK) {
        FUZZ_MUST(own->n > 0);
        for (unsigned i = 0; i < own->n; i++) {
            FUZZ_MUST(own->at[i].name && own->at[i].app.n <= BOARD_RANGES);
        }
    }
    arena_free(&a);
    free(text);
    return 0;
}
