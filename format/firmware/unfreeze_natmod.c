// A frozen native module back to what its file had: what freezing added to its words is taken off
// again, by the record that stands where other raw codes list their children.
#include "format/firmware/unfreeze.h"
#include "format/mpy/prelude.h"
#include "format/mpy/reloc.h"

struct natmod_record {
    uint64_t text, run, rodata; // addresses; run: of the text when it is executed
    uint64_t head[MPY_NATMOD_HEAD / 4];
    uint64_t relocs;
};

bool unfreeze_is_natmod(const struct unfreeze *u, uint64_t record)
{
    uint64_t magic;
    return record && image_word(u->fw->image, record, 4, &magic) && magic == MPY_NATMOD_MAGIC;
}

// What is copied counts against the budget: an image may list one record many times.
static enum diag_code read_record(struct unfreeze *u, uint64_t at, struct natmod_record *r)
{
    const struct image *img = u->fw->image;
    bool ok = true;
    uint64_t total = 0;
    for (unsigned i = 0; i < MPY_NATMOD_HEAD / 4; i++) {
        ok = ok && image_word(img, at + i * 4, 4, &r->head[i]);
        total += i ? r->head[i] : 0;
    }
    ok = ok && image_word(img, at + MPY_NATMOD_HEAD, u->fw->ptr, &r->rodata) &&
         image_word(img, at + MPY_NATMOD_HEAD + u->fw->ptr, u->fw->ptr, &r->relocs);
    if (!ok || total > MPY_NATMOD_MAX || total >= u->budget) {
        return unfreeze_fail(u, at, "native module", "has no sizes that make sense");
    }
    u->budget -= total;
    return DIAG_OK;
}

// The bytes at addr as the running firmware has them: words may be relocated at load time.
static enum diag_code copy(struct unfreeze *u, uint64_t addr, uint64_t size, uint8_t **out)
{
    const uint8_t *p = size ? image_run_bytes(u->fw->image, addr, size) : (const uint8_t *)"";
    if (!p) {
        return unfreeze_fail(u, addr, "native module", "is not in the image");
    }
    *out = arena_dup(u->arena, p, (size_t)size);
    return *out ? DIAG_OK : diag_nomem(u->diag);
}

// What was added to a word.
static bool destination(const struct unfreeze *u, const struct natmod_record *n,
                        const struct mpy_reloc *r, uint64_t *value)
{
    uint64_t table = u->fw->objects[FW_FUN_TABLE];
    switch (r->to) {
    case MPY_RELOC_TEXT:
        *value = n->run;
        return true;
    case MPY_RELOC_RODATA:
        *value = n->rodata;
        return true;
    case MPY_RELOC_QSTRS:
        *value = u->frozen->qstr_table;
        return true;
    case MPY_RELOC_OBJS:
        *value = u->frozen->obj_table;
        return true;
    case MPY_RELOC_FUN_TABLE:
        *value = table;
        return table != 0;
    case MPY_RELOC_FUN:
        return table &&
               image_word(u->fw->image, table + (uint64_t)r->entry * u->fw->ptr, u->fw->ptr, value);
    case MPY_RELOC_BSS:
        break;
    }
    return false;
}

static bool restore(struct unfreeze *u, const struct natmod_record *n, const struct mpy_reloc *r,
                    uint8_t *text, uint8_t *rodata)
{
    unsigned ptr = u->fw->ptr;
    uint64_t word, added;
    if (!image_word(u->fw->image, (r->in_rodata ? n->rodata : n->text) + r->offset, ptr, &word) ||
        !destination(u, n, r, &added)) {
        return false;
    }
    uint8_t *p = (r->in_rodata ? rodata : text) + r->offset;
    if (ptr == 8) {
        st64(p, word - added);
    } else {
        st32(p, (uint32_t)(word - added));
    }
    return true;
}

enum diag_code unfreeze_natmod(struct unfreeze *u, uint64_t record, uint64_t run,
                               struct mpy_code *c)
{
    struct natmod_record n = {.text = c->at, .run = run};
    uint8_t *text = NULL, *rodata = NULL, *relocs = NULL;
    enum diag_code err = read_record(u, record, &n);
    err = err ? err : copy(u, n.text, n.head[1], &text);
    err = err ? err : copy(u, n.rodata, n.head[2], &rodata);
    err = err ? err : copy(u, n.relocs, n.head[3], &relocs);
    err = err ? err : unfreeze_start(u, record);
    if (err) {
        return err;
    }
    c->data = text;
    c->size = (uint32_t)n.head[1];
    struct mpy_machine *m = c->machine;
    m->rodata = rodata;
    m->rodata_size = (uint32_t)n.head[2];
    m->relocs = relocs;
    m->relocs_size = (uint32_t)n.head[3];
    m->scope_flags = MPY_SCOPE_VIPER_RELOC | (m->rodata_size ? MPY_SCOPE_VIPER_RODATA : 0u);
    struct mpy_relocs walk;
    struct mpy_reloc r;
    int more;
    mpy_relocs_begin(&walk, c, u->fw->ptr);
    while ((more = mpy_relocs_next(&walk, &r)) > 0) {
        if (!restore(u, &n, &r, text, rodata)) {
            more = -1;
            break;
        }
    }
    return more ? unfreeze_fail(u, record, "native module", "cannot be brought back to its file")
                : DIAG_OK;
}
