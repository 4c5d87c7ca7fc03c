// Writes scripts of tests/lib/shapes.h: `bench-shapes FOLDER SIZE` makes FOLDER/N.py of each shape
// and prints N and its name.
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/shapes.h"

static int write_shape(const char *folder, size_t i, size_t size)
{
    char path[4096];
    struct bytes_out out;
    bytes_out_init(&out);
    shape_make(&shapes[i], size, &out);
    snprintf(path, sizeof path, "%s/%zu.py", folder, i);
    FILE *f = fopen(path, "wb");
    bool ok = f && !out.failed && fwrite(out.data, 1, out.size, f) == out.size;
    ok = f && fclose(f) == 0 && ok;
    bytes_out_free(&out);
    return ok;
}

int main(int argc, char **argv)
{
    size_t size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    for (size_t i = 0; size && shapes[i].name; i++) {
        if (!write_shape(argv[1], i, size)) {
            perror(argv[1]);
            return 1;
        }
        printf("%zu\t%s\n", i, shapes[i].name);
    }
    return size ? 0 : 2;
}
