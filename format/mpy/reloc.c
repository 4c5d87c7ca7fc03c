#include "format/mpy/reloc.h"

enum { RELOC_END = 0xff };

void mpy_relocs_begin(struct mpy_relocs *r, const struct mpy_code *code, unsigned ptr)
{
    *r = (struct mpy_relocs){.code = code, .ptr = ptr};
}

static bool take_byte(struct mpy_relocs *r, uint8_t *byte)
{
    if (r->at >= mpy_machine(r->code)->relocs_size) {
        return false;
    }
    *byte = mpy_machine(r->code)->relocs[r->at++];
    return true;
}

static bool take_uint(struct mpy_relocs *r, uint64_t *value)
{
    uint8_t byte;
    *value = 0;
    do {
        if (*value >> 32 || !take_byte(r, &byte)) {
            return false;
        }
        *value = *value << 7 | (byte & 0x7f);
    } while (byte & 0x80);
    return true;
}

// Destinations 0 to 5 are text, rodata and bss, each without and with a count; 6 to 8 the three
// tables, the rest are entries of mp_fun_table.
static bool take_destination(struct mpy_relocs *r, unsigned op)
{
    static const enum mpy_reloc_to segments[] = {MPY_RELOC_TEXT, MPY_RELOC_RODATA, MPY_RELOC_BSS};
    static const enum mpy_reloc_to tables[] = {MPY_RELOC_QSTRS, MPY_RELOC_OBJS,
                                               MPY_RELOC_FUN_TABLE};
    r->left = 1;
    if (op <= 5) {
        r->now.to = segments[op >> 1];
        return !(op & 1) || take_uint(r, &r->left);
    }
    r->now.to = op <= 8 ? tables[op - 6] : MPY_RELOC_FUN;
    r->now.entry = op <= 8 ? 0 : op - 9;
    return true;
}

static int next_group(struct mpy_relocs *r)
{
    uint8_t op;
    uint64_t where;
    if (!take_byte(r, &op)) {
        return -1;
    }
    if (op == RELOC_END) {
        return r->at == mpy_machine(r->code)->relocs_size ? 0 : -1;
    }
    if (op & 1) {
        if (!take_uint(r, &where)) {
            return -1;
        }
        r->now.in_rodata = where & 1;
        r->word = where >> 1;
        r->placed = true;
    }
    return r->placed && take_destination(r, op >> 1) ? 1 : -1;
}

int mpy_relocs_next(struct mpy_relocs *r, struct mpy_reloc *out)
{
    while (!r->left) {
        int more = next_group(r);
        if (more <= 0) {
            return more;
        }
    }
    uint64_t size = r->now.in_rodata ? mpy_machine(r->code)->rodata_size : r->code->size;
    if (r->word >= size / r->ptr) {
        return -1;
    }
    r->now.offset = (uint32_t)(r->word * r->ptr);
    *out = r->now;
    r->word++;
    r->left--;
    return 1;
}
