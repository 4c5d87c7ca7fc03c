// Fuzz target: .mpy files. What is read must be written back byte for byte; of version 5, where a
// string can stand in full or as a place in a window of any size, what was written once. Listings
// and the verifier take whatever was read.
#include "format/mpy/check.h"
#include "format/mpy/dis.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_ARENA = 512 << 20 };

static void must_write(const struct mpy_module *m, const uint8_t *data, size_t size)
{
    struct bytes_out out;
    bytes_out_init(&out);
    mpy_write(m, &out);
    FUZZ_MUST(!out.failed && out.size == size && memcmp(out.data, data, size) == 0);
    bytes_out_free(&out);
}

static void fuzz_round_trip(const struct mpy_module *m, const uint8_t *data, size_t size,
                            struct arena *a)
{
    struct bytes_out out;
    struct mpy_module *again;
    if (!m->v5) {
        must_write(m, data, size);
        return;
    }
    bytes_out_init(&out);
    mpy_write(m, &out);
    FUZZ_MUST(!out.failed);
    FUZZ_MUST(!mpy_read(out.data, out.size, "again", a, NULL, &again));
    must_write(again, out.data, out.size);
    bytes_out_free(&out);
}

static void fuzz_list(const struct mpy_module *m, struct arena *a)
{
    struct bytes_out out;
    struct diag d;
    struct json j;
    diag_init(&d);
    bytes_out_init(&out);
    FUZZ_MUST(mpy_dis_text(m, "fuzz", a, &out, &d) == DIAG_OK);
    bytes_out_free(&out);
    json_init(&j, &out);
    FUZZ_MUST(mpy_dis_json(m, "fuzz", a, &j, &d) == DIAG_OK);
    bytes_out_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct diag d;
    struct mpy_module *m;
    struct mpy_check report;
    arena_init(&a, FUZZ_ARENA);
    diag_init(&d);
    enum diag_code err = mpy_read(data, size, "fuzz", &a, &d, &m);
    FUZZ_MUST(err == DIAG_OK || err == DIAG_MALFORMED);
    if (!err) {
        fuzz_round_trip(m, data, size, &a);
        fuzz_list(m, &a);
        err = mpy_check(m, "fuzz", &d, &report);
        FUZZ_MUST(err == DIAG_OK || err == DIAG_MALFORMED);
    }
    arena_free(&a);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    return fuzz_mpy_mutate(data, size, max, seed);
}

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    return fuzz_mpy_seed(i, out);
}
