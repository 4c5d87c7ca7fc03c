// What the compiler takes for scripts of one construct alone: memory in proportion to the script.
#include <criterion/criterion.h>
#include <string.h>

#include "packer/compiler/compiler.h"
#include "tests/lib/shapes.h"

enum {
    SHAPES_SIZE = 1 << 20,
    SHAPES_FLOOR = 12 << 20, // chunks and arrays that have just been begun count whole
    SHAPES_FACTOR = 16,      // of the source, with what arrays have room for beyond what is used
};

static enum diag_code compile(const struct shape *s, size_t *most, struct diag *d)
{
    struct arena a;
    struct bytes_out source, out;
    // A function's table of lines counts from line 1: with it, the output of many functions grows
    // with their number and their place.
    const struct compiler_options options = {.no_source_lines = true};
    arena_init(&a, SHAPES_FACTOR * (size_t)SHAPES_SIZE + SHAPES_FLOOR);
    bytes_out_init(&source);
    bytes_out_init(&out);
    diag_init(d);
    shape_make(s, SHAPES_SIZE, &source);
    cr_assert(!source.failed);
    enum diag_code err = compiler_mpy(source.data, source.size, "shape.py", &options, &a, d, &out);
    *most = a.most;
    arena_free(&a);
    bytes_out_free(&out);
    bytes_out_free(&source);
    return err;
}

Test(shapes, memory_is_in_proportion_to_the_script, .timeout = 300)
{
    for (const struct shape *s = shapes; s->name; s++) {
        struct diag d;
        size_t most;
        enum diag_code err = compile(s, &most, &d);
        cr_expect(!err || strstr(d.text, "bytecode overflow"), "%s: %s, with %zu bytes", s->name,
                  d.text, most);
    }
}
