// Native modules linked from C (natmods). Upstream's loader adds addresses to words of their text
// and rodata when it copies them to RAM; here the same is done once, for the place that they get.
#include "format/mpy/prelude.h"
#include "format/mpy/reloc.h"
#include "packer/freeze/internal.h"

enum {
    NATMOD_ALIGN = 16, // of the text: what an allocation gives, constants in it rely on that
    RODATA_ALIGN = 8,  // what PART_WORDS can give; only Xtensa keeps rodata apart
};

struct natmod {
    struct freezer *f;
    const struct mpy_code *code;
    struct place text, rodata;
    bool *seen; // for each word of the text, then of the rodata
};

bool freeze_is_natmod(const struct mpy_code *c)
{
    return c->kind == MPY_CODE_VIPER &&
           (mpy_machine(c)->scope_flags &
            (MPY_SCOPE_VIPER_RELOC | MPY_SCOPE_VIPER_RODATA | MPY_SCOPE_VIPER_BSS)) != 0;
}

static enum diag_code malformed(struct freezer *f)
{
    return freeze_refuse(f, DIAG_MALFORMED, "the relocations of its machine code contradict it");
}

static struct place place_plus(struct place p, uint32_t plus)
{
    p.offset += plus;
    return p;
}

// What the word holds already, which the address is added to.
static uint64_t stored(const struct natmod *n, const struct mpy_reloc *r)
{
    const uint8_t *p = (r->in_rodata ? mpy_machine(n->code)->rodata : n->code->data) + r->offset;
    return n->f->fw->ptr == 8 ? ld64(p) : ld32(p);
}

// An entry of the firmware's mp_fun_table: the address of a type or of an object.
static enum diag_code fun_entry(struct freezer *f, uint64_t table, unsigned entry,
                                uint64_t *address)
{
    const struct image *img = f->fw->image;
    if (img && image_word(img, table + (uint64_t)entry * f->fw->ptr, f->fw->ptr, address) &&
        image_run_bytes(img, *address, 1)) {
        return DIAG_OK;
    }
    return freeze_refuse(f, DIAG_NO,
                         "its machine code needs entry %u of the table of native functions, which "
                         "was not understood",
                         entry);
}

static enum diag_code relocate_out(struct natmod *n, const struct mpy_reloc *r, struct place at)
{
    uint64_t address = n->f->fw->objects[FW_FUN_TABLE];
    if (!address) {
        return freeze_refuse(n->f, DIAG_NO,
                             "its machine code needs the table of native functions, which was not "
                             "found in the firmware");
    }
    enum diag_code err =
        r->to == MPY_RELOC_FUN ? fun_entry(n->f, address, r->entry, &address) : DIAG_OK;
    if (!err) {
        pieces_relocate_out(&n->f->pieces, at, address + stored(n, r));
    }
    return err;
}

static enum diag_code relocate(struct natmod *n, const struct mpy_reloc *r)
{
    struct freezer *f = n->f;
    struct place at = place_plus(r->in_rodata ? n->rodata : n->text, r->offset);
    switch (r->to) {
    case MPY_RELOC_TEXT:
        pieces_relocate(&f->pieces, at, n->text, stored(n, r));
        return DIAG_OK;
    case MPY_RELOC_RODATA:
        pieces_relocate(&f->pieces, at, n->rodata, stored(n, r));
        return mpy_machine(n->code)->rodata_size ? DIAG_OK : malformed(f);
    case MPY_RELOC_QSTRS:
        pieces_relocate(&f->pieces, at, f->qstr_table, stored(n, r));
        return DIAG_OK;
    case MPY_RELOC_OBJS:
        if (f->has_objects) { // else there is no table, and NULL is added
            pieces_relocate(&f->pieces, at, f->obj_table, stored(n, r));
        }
        return DIAG_OK;
    case MPY_RELOC_FUN_TABLE:
    case MPY_RELOC_FUN:
        return relocate_out(n, r, at);
    case MPY_RELOC_BSS:
        break;
    }
    return malformed(f);
}

static enum diag_code relocate_all(struct natmod *n)
{
    struct mpy_relocs walk;
    struct mpy_reloc r;
    unsigned ptr = n->f->fw->ptr;
    int more;
    mpy_relocs_begin(&walk, n->code, ptr);
    while ((more = mpy_relocs_next(&walk, &r)) > 0) {
        bool *seen = &n->seen[r.offset / ptr + (r.in_rodata ? n->code->size / ptr : 0)];
        enum diag_code err = *seen ? malformed(n->f) : relocate(n, &r);
        if (err) {
            return err;
        }
        *seen = true;
    }
    return more < 0 ? malformed(n->f) : DIAG_OK;
}

static struct place put_record(struct natmod *n)
{
    struct pieces *p = &n->f->pieces;
    const struct mpy_code *c = n->code;
    struct place relocs = pieces_bytes(p, mpy_machine(c)->relocs, mpy_machine(c)->relocs_size);
    struct place at = pieces_at(p, PART_WORDS);
    const uint32_t head[] = {MPY_NATMOD_MAGIC, c->size, mpy_machine(c)->rodata_size,
                             mpy_machine(c)->relocs_size};
    for (int i = 0; i < MPY_NATMOD_HEAD / 4; i++) {
        bytes_put_u32(&p->part[PART_WORDS], head[i]);
    }
    if (mpy_machine(c)->rodata_size) {
        pieces_pointer(p, n->rodata);
    } else {
        pieces_word(p, 0);
    }
    pieces_pointer(p, relocs);
    return at;
}

// Espressif chips with a window for code and one for constants read that for code by whole words
// only (ESP-IDF, "Memory Types"). Xtensa natmods keep their constants apart from it, others do not.
static bool has_constants_in_code(const struct freezer *f)
{
    const struct image *img = f->fw->image;
    return img && img->window && img->code_window != img->data_window &&
           f->fw->isa != IMAGE_ISA_XTENSA;
}

static enum diag_code check_natmod(struct freezer *f, const struct mpy_code *c)
{
    if (mpy_machine(c)->bss_size) {
        return freeze_refuse(f, DIAG_NO,
                             "a native module with %u bytes of variables (.bss) cannot run in "
                             "place: it needs RAM of its own; keep it as an .mpy file",
                             mpy_machine(c)->bss_size);
    }
    if (has_constants_in_code(f)) {
        return freeze_refuse(f, DIAG_NO,
                             "a native module has its constants within its code, and this chip "
                             "reads flash that it runs by whole words only; keep it as an .mpy "
                             "file");
    }
    if ((uint64_t)c->size + mpy_machine(c)->rodata_size + mpy_machine(c)->relocs_size >
        MPY_NATMOD_MAX) {
        return freeze_refuse(f, DIAG_NO, "a native module of more than %d bytes", MPY_NATMOD_MAX);
    }
    return DIAG_OK;
}

enum diag_code freeze_natmod(struct freezer *f, const struct mpy_code *c, struct place *text,
                             struct place *record)
{
    struct natmod n = {.f = f, .code = c};
    enum diag_code err = check_natmod(f, c);
    if (err) {
        return err;
    }
    n.seen = ARENA_ARRAY(f->arena, bool, (size_t)c->size + mpy_machine(c)->rodata_size);
    n.text = pieces_code(&f->pieces, c->data, c->size, NATMOD_ALIGN);
    if (mpy_machine(c)->rodata_size) {
        n.rodata = pieces_words(&f->pieces, RODATA_ALIGN);
        bytes_put(&f->pieces.part[PART_WORDS], mpy_machine(c)->rodata, mpy_machine(c)->rodata_size);
    }
    *text = n.text;
    if (!(mpy_machine(c)->scope_flags & MPY_SCOPE_VIPER_RELOC)) {
        return DIAG_OK;
    }
    f->relocated_code = true;
    err = relocate_all(&n);
    if (!err) {
        *record = put_record(&n);
    }
    return err;
}
