// End to end: a script that compiles gives a .mpy that is read back to the same bytes, passes the
// checker and can be disassembled. The first byte chooses the release, the second the options.
#include "tests/fuzz/fuzz.h"

#include "format/mpy/check.h"
#include "format/mpy/dis.h"
#include "packer/compiler/compiler.h"

enum { SCRIPT_MEMORY = 256 << 20 }; // far more than 12 times the longest input

bool fuzz_seed(unsigned i, struct bytes_out *out)
{
    const char head[] = {(char)(i + 1), 0}; // each seed with another release
    return fuzz_script_seed(i, head, sizeof head, out);
}

static const struct compiler_release *choose_release(uint8_t byte)
{
    unsigned n = 0;
    while (compiler_release_at(n)) {
        n++;
    }
    return compiler_release_at(byte % n);
}

static void read_back(const struct bytes_out *mpy, struct arena *a)
{
    struct diag d;
    struct mpy_module *m;
    struct mpy_check report;
    struct bytes_out again, text;
    bytes_out_init(&again);
    bytes_out_init(&text);
    diag_init(&d);
    if (mpy_read(mpy->data, mpy->size, "fuzz.mpy", a, &d, &m)) {
        abort(); // what the compiler writes, the reader reads
    }
    mpy_write(m, &again);
    if (again.size != mpy->size || memcmp(again.data, mpy->data, mpy->size) != 0) {
        abort(); // reading and writing are inverse
    }
    if (mpy_check(m, "fuzz.mpy", &d, &report)) {
        abort(); // no false alarm about the compiler's own code
    }
    if (mpy_dis_text(m, "fuzz.mpy", a, &text, &d) == DIAG_MALFORMED) {
        abort(); // a listing never fails on what is in the file
    }
    bytes_out_free(&again);
    bytes_out_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a;
    struct diag d;
    struct bytes_out mpy;
    if (size < 2) {
        return 0;
    }
    arena_init(&a, SCRIPT_MEMORY);
    diag_init(&d);
    bytes_out_init(&mpy);
    const struct compiler_options options = {.release = choose_release(data[0]),
                                             .opt_level = data[1] & 3,
                                             .small_int_bits = data[1] & 4 ? 30 : 0,
                                             .max_depth = FUZZ_DEPTH,
                                             .no_source_lines = data[1] & 8};
    enum diag_code err = compiler_mpy(data + 2, size - 2, "fuzz.py", &options, &a, &d, &mpy);
    if (!err) {
        read_back(&mpy, &a);
    } else if (!d.text[0]) {
        abort(); // an error has words
    }
    arena_free(&a);
    bytes_out_free(&mpy);
    return 0;
}
