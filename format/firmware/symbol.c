// ELF symbols, where the file has them, confirm what was found from the bytes.
#include "format/firmware/scan.h"

static const struct {
    const char *name;
    enum fw_object object;
} symbols[] = {
    {"mp_type_type", FW_TYPE_TYPE},
    {"mp_type_int", FW_TYPE_INT},
    {"mp_type_str", FW_TYPE_STR},
    {"mp_type_bytes", FW_TYPE_BYTES},
    {"mp_type_tuple", FW_TYPE_TUPLE},
    {"mp_type_float", FW_TYPE_FLOAT},
    {"mp_type_complex", FW_TYPE_COMPLEX},
    {"mp_fun_table", FW_FUN_TABLE},
    {"mp_const_ellipsis_obj", FW_CONST_ELLIPSIS},
};

static const struct image_symbol *find(const struct image *img, const char *name)
{
    unsigned lo = 0, hi = img->n_symbols;
    while (lo < hi) {
        unsigned mid = lo + (hi - lo) / 2;
        if (strcmp(img->symbols[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < img->n_symbols && strcmp(img->symbols[lo].name, name) == 0 ? &img->symbols[lo]
                                                                           : NULL;
}

// Only what a splice never moves is compared: the symbols of a product are those of its base.
enum diag_code symbol_confirm(struct scan *s)
{
    const struct image *img = s->view.image;
    unsigned agree = 0;
    for (unsigned i = 0; i < sizeof symbols / sizeof *symbols; i++) {
        const struct image_symbol *y = find(img, symbols[i].name);
        uint64_t found = s->fw->objects[symbols[i].object];
        if (!y || !found)
            continue;
        if (y->value != found)
            return diag_set(s->diag, DIAG_NO, img->name,
                            "%s is at 0x%llx by its symbol, but at 0x%llx by the bytes", y->name,
                            (unsigned long long)y->value, (unsigned long long)found);
        agree++;
    }
    if (agree)
        scan_note(s, "symbols", 0, "the symbols of the file", "%u agree", agree);
    return DIAG_OK;
}
