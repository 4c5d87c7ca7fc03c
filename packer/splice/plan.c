// From modules to a blob: freeze, find a place, redirect the references.
#include <stdlib.h>

#include "packer/splice/dynamic.h"
#include "packer/splice/patch.h"
#include "packer/splice/splice.h"
#include "packer/splice/veneer.h"

enum {
    REFERENCES_MAX = 12, // to one table: more means that something was mistaken for it
    LARGEST_SHOWN = 3,
    UNDO_ROUNDS = 8,
    PAGE_ROUNDS = 4,        // patches make the blob larger, and a larger blob may take a page more
    MAPPED_PAGE = 0x10000,  // of the flash MMU
    NEAR_PROGRAM = 1 << 20, // segments farther away are other memory
    PLACE_EXAMPLE = 0x1000, // what the example of a region is rounded to
};

struct planner {
    const struct firmware *fw;
    const struct splice_module *modules;
    unsigned n;
    const struct splice_options *options;
    struct arena *arena;
    struct diag *diag;
    struct freeze *frozen;
    struct patches patches;
    struct dynamic dynamic; // position-independent images only
    uint64_t table;         // offset of the relocation table in the payload
    uint64_t lookup;        // the function that a veneer replaces, 0 = none
    uint64_t finder;        // offset of its replacement in the payload
    enum freeze_pools pools;
    bool pool_failed; // a reference to the last qstr pool could not be changed
    uint64_t pages;   // of the flash MMU that constant data gets more, see firmware.mapped_end
    struct blob_base *base;
    const struct image *image; // the firmware's, with room for machine code that lies apart
    struct splice_plan *plan;
};

static const char *image_name(const struct planner *p)
{
    return p->fw->image->name;
}

static bool is_pic(const struct planner *p)
{
    return p->fw->image->pic;
}

static enum diag_code freeze_modules(struct planner *p)
{
    struct freeze_input *inputs = ARENA_ARRAY(p->arena, struct freeze_input, p->n);
    for (unsigned i = 0; i < p->n; i++) {
        inputs[i] = p->modules[i].in;
    }
    enum diag_code err = freeze_make(p->fw, inputs, p->n, p->pools, p->arena, p->diag, &p->frozen);
    if (err) {
        return err;
    }
    p->plan->frozen = p->frozen;
    p->plan->module_sizes = ARENA_ARRAY(p->arena, uint64_t, p->n);
    for (unsigned i = 0; i < p->n; i++) {
        p->plan->module_sizes[i] = p->frozen->spans[i].size + p->frozen->spans[i].code;
    }
    return DIAG_OK;
}

static enum diag_code make_list(struct planner *p)
{
    struct bytes_out list;
    bytes_out_init(&list);
    enum diag_code err = blob_make_list(&p->plan->blob, &list, p->diag);
    p->plan->list = err ? NULL : arena_dup(p->arena, list.data, list.size);
    p->plan->list_size = list.size;
    bytes_out_free(&list);
    return err;
}

static int by_name_at(const void *a, const void *b)
{
    const struct blob_module *x = a, *y = b;
    return (x->name_at > y->name_at) - (x->name_at < y->name_at);
}

static enum diag_code list_modules(struct planner *p)
{
    struct blob_module *list = ARENA_ARRAY(p->arena, struct blob_module, p->n);
    for (unsigned i = 0; i < p->n; i++) {
        const struct splice_module *m = &p->modules[i];
        if (strlen(m->in.name) > BLOB_NAME_MAX) {
            return diag_set(p->diag, DIAG_NO, m->in.file, "the module name is longer than %d bytes",
                            BLOB_NAME_MAX);
        }
        list[i].name = m->in.name;
        list[i].kind = m->in.kind == FW_MODULE_STR ? BLOB_MODULE_STR : BLOB_MODULE_MPY;
        list[i].name_at = p->frozen->name_at[i];
        list[i].offset = p->frozen->spans[i].offset;
        list[i].size = p->frozen->spans[i].size;
        memcpy(list[i].source_sha256, m->source_sha256, BLOB_DIGEST);
        memcpy(list[i].mpy_sha256, m->mpy_sha256, BLOB_DIGEST);
    }
    if (p->n) {
        qsort(list, p->n, sizeof *list, by_name_at);
    }
    p->plan->blob.n_modules = p->n;
    p->plan->blob.modules = list;
    p->plan->blob.detached = p->options->detach_modules;
    return make_list(p);
}

// Everything that has references: the firmware's list of them, and the payload's replacement.
struct redirection {
    const char *what;
    const struct fw_refs *refs;
    uint32_t offset;
    unsigned least;
};

static void list_redirections(const struct planner *p, struct redirection out[5])
{
    const struct firmware *fw = p->fw;
    const struct freeze *f = p->frozen;
    out[0] = (struct redirection){"the last qstr pool", &fw->pool_refs, f->pool, 1};
    out[1] = (struct redirection){"the names of frozen modules", &fw->names_refs, f->names, 1};
    out[2] = (struct redirection){"the frozen modules", &fw->content_refs, f->content,
                                  p->lookup ? 0 : 1};
    out[3] =
        (struct redirection){"the sizes of frozen texts", &fw->str_sizes_refs, f->str_sizes, 1};
    out[4] = (struct redirection){"the frozen texts", &fw->str_content_refs, f->str_content, 1};
}

// Code of a processor whose instructions nobody here reads has no references that could be found.
static enum diag_code check_machine(const struct planner *p)
{
    if (p->fw->isa != IMAGE_ISA_UNKNOWN) {
        return DIAG_OK;
    }
    enum diag_code err = diag_set(p->diag, DIAG_NO, image_name(p),
                                  "its machine code (%s) is for a processor that is not supported",
                                  image_describe(p->fw->image, p->arena));
    diag_help(p->diag, "modules are frozen into firmware for Arm (32-bit and 64-bit), RISC-V, "
                       "Xtensa and x86");
    return err;
}

// The references are looked at before anything is made: too few means that some code would go on
// with the old tables, far too many that something else looks like a reference.
static enum diag_code check_references(struct planner *p)
{
    struct redirection list[5];
    if (p->fw->content_refs.n == 0) {
        enum diag_code err = veneer_find(p->fw, p->diag, &p->lookup);
        if (err) {
            return err;
        }
    }
    list_redirections(p, list);
    for (int i = 0; i < 5; i++) {
        const struct redirection *r = &list[i];
        if (r->offset == FREEZE_NONE || (r->refs->n >= r->least && r->refs->n <= REFERENCES_MAX)) {
            continue;
        }
        enum diag_code err = diag_set(p->diag, DIAG_NO, image_name(p),
                                      "found %u references to %s in the code", r->refs->n, r->what);
        diag_help(p->diag,
                  "allowed are %u to %d; without link-time optimisation, or with one more "
                  "frozen module, a build of this firmware would keep them",
                  r->least, REFERENCES_MAX);
        return err;
    }
    return DIAG_OK;
}

static enum diag_code patch_reference(struct planner *p, const struct fw_ref *ref, uint64_t target,
                                      const char *what)
{
    if (ref->kind == FW_REF_WORD_RELATIVE && is_pic(p)) {
        p->patches.n_references++;
        return dynamic_redirect(&p->dynamic, ref->addr, target - (uint64_t)ref->addend,
                                &p->patches);
    }
    return patches_reference(&p->patches, ref, target, what);
}

// The words of the firmware's last qstr pool, where the new one takes its place.
static enum diag_code patch_words(struct planner *p, uint64_t payload)
{
    enum diag_code err = DIAG_OK;
    for (unsigned i = 0; i < p->frozen->n_words && !err; i++) {
        const struct freeze_word *w = &p->frozen->words[i];
        uint64_t value = w->inside ? payload + w->value : w->value;
        err = w->inside && is_pic(p) ? dynamic_redirect(&p->dynamic, w->addr, value, &p->patches)
                                     : patches_write(&p->patches, w->addr, value, p->fw->ptr);
    }
    return err;
}

// More pages of the flash MMU: the firmware must not hand them out at run time.
static enum diag_code keep_pages(struct planner *p)
{
    const struct fw_refs *refs = &p->fw->mapped_refs;
    enum diag_code err = DIAG_OK;
    for (unsigned i = 0; p->pages && i < refs->n && !err; i++) {
        err = patches_reference(&p->patches, &refs->refs[i],
                                refs->refs[i].target + p->pages * MAPPED_PAGE,
                                "the end of the mapped flash pages");
    }
    return err;
}

// What fills the room of machine code that lies apart is one more patch, in its place among them.
static enum diag_code add_code_patch(const struct planner *p)
{
    struct blob *b = &p->plan->blob;
    const struct blob_code *c = &b->code;
    uint32_t n = 0;
    if (!c->size) {
        return DIAG_OK;
    }
    struct blob_patch *list = ARENA_ARRAY(p->arena, struct blob_patch, b->n_patches + 1);
    while (n < b->n_patches && b->patches[n].addr < c->addr) {
        list[n] = b->patches[n];
        n++;
    }
    list[n] =
        (struct blob_patch){c->addr, c->size, arena_calloc(p->arena, c->size, 1), p->frozen->code};
    memcpy(list + n + 1, b->patches + n, (b->n_patches - n) * sizeof *list);
    b->patches = list;
    b->n_patches++;
    return DIAG_OK;
}

// Number of patches, before addresses are known. An upper bound would do for the size of the blob
// only if it were exact: so the patches are made for a trial address first.
static enum diag_code make_patches(struct planner *p, uint64_t payload)
{
    struct redirection list[5];
    struct patches *patches = &p->patches;
    enum diag_code err = DIAG_OK;
    list_redirections(p, list);
    patches_init(patches, p->fw, p->arena, p->diag);
    for (int i = 0; i < 5 && !err; i++) {
        for (unsigned k = 0; list[i].offset != FREEZE_NONE && k < list[i].refs->n && !err; k++) {
            err =
                patch_reference(p, &list[i].refs->refs[k], payload + list[i].offset, list[i].what);
        }
        p->pool_failed |= err && i == 0;
    }
    err = err ? err : patch_words(p, payload);
    if (!err && p->lookup) {
        err = veneer_patch(patches, p->lookup, payload + p->finder);
    }
    if (!err && is_pic(p)) {
        err = dynamic_use(&p->dynamic, payload + p->table, patches);
    }
    err = err ? err : keep_pages(p);
    struct blob *b = &p->plan->blob;
    err = err ? err : patches_finish(patches, &b->n_patches, &b->patches);
    return err ? err : add_code_patch(p);
}

static bool has_code(const struct planner *p)
{
    return p->frozen->executable || p->lookup;
}

// In a position-independent program the loader writes the pointers, so the run must be writable;
// machine code runs in a second mapping that is not. Where code itself holds pointers, or there is
// no room for a second program header, the run is writable and executable. Espressif chips have a
// second window to the same flash anyway.
static void place_code(struct planner *p, uint64_t addr)
{
    const struct image *img = p->fw->image;
    const struct blob_code *apart = &p->plan->blob.code;
    if (apart->size) {
        p->frozen->code_shift = apart->addr - (addr + BLOB_HEADER);
        p->plan->blob.segment_flags = IMAGE_R | IMAGE_APART;
        return;
    }
    bool twin = is_pic(p) && !p->frozen->relocated_code;
    bool split = has_code(p) && (twin || img->mapped);
    uint64_t code = split ? image_code_address(img, addr, p->plan->size, addr) : 0;
    p->frozen->code_shift = code ? code - addr : 0;
    p->plan->blob.segment_flags = IMAGE_R | (is_pic(p) ? IMAGE_W : 0u) |
                                  (twin && code  ? IMAGE_TWIN
                                   : has_code(p) ? IMAGE_X
                                                 : 0u);
}

// Payload and patches for a blob at addr.
static enum diag_code lay_out(struct planner *p, uint64_t addr)
{
    struct blob *b = &p->plan->blob;
    uint64_t payload = addr + BLOB_HEADER;
    b->addr = addr;
    place_code(p, addr);
    freeze_place(p->frozen, payload);
    if (is_pic(p)) {
        dynamic_make(&p->dynamic, p->frozen, payload, p->arena);
    }
    enum diag_code err = make_patches(p, payload);
    if (err) {
        return err;
    }
    uint8_t *bytes = arena_calloc(p->arena, b->payload_size, 1);
    memcpy(bytes, p->frozen->data, p->frozen->size);
    if (is_pic(p)) {
        memcpy(bytes + p->table, p->dynamic.table, dynamic_size(&p->dynamic, p->dynamic.n));
    }
    if (p->lookup) {
        veneer_write(bytes + p->finder, payload + p->frozen->names, payload + p->frozen->content);
    }
    b->payload = bytes;
    return DIAG_OK;
}

static enum diag_code size_payload(struct planner *p)
{
    struct blob *b = &p->plan->blob;
    uint64_t size = p->frozen->size;
    if (is_pic(p)) {
        enum diag_code err = dynamic_find(p->fw, p->diag, &p->dynamic);
        if (err) {
            return err;
        }
        ck_align(size, 8, &p->table);
        size = p->table + dynamic_size(&p->dynamic, p->frozen->n_pointers);
    }
    if (p->lookup) {
        ck_align(size, 4, &p->finder);
        size = p->finder + VENEER_FINDER;
    }
    if (size > BLOB_SIZE_MAX) {
        return diag_set(p->diag, DIAG_NO, image_name(p), "the modules take %llu bytes",
                        (unsigned long long)size);
    }
    b->payload_size = (uint32_t)size;
    return DIAG_OK;
}

static uint64_t place_align(const struct planner *p)
{
    uint64_t granule = image_granule(p->fw->image);
    return granule > BLOB_ALIGN ? granule : BLOB_ALIGN;
}

// The undo record and the size of the blob depend on each other; both settle at once, unless a
// container writes lengths into its record.
static enum diag_code settle_size(struct planner *p, uint64_t addr)
{
    struct blob *b = &p->plan->blob;
    uint64_t size = blob_size(b);
    for (int i = 0; i < UNDO_ROUNDS; i++) {
        struct bytes_out undo;
        bytes_out_init(&undo);
        enum diag_code err = image_undo(p->image, addr, size, &undo, p->diag);
        err = err ? err : bytes_out_check(&undo, p->diag);
        b->undo_size = (uint32_t)undo.size;
        b->undo = err ? NULL : arena_dup(p->arena, undo.data, undo.size);
        bytes_out_free(&undo);
        if (err) {
            return err;
        }
        uint64_t again = blob_size(b);
        if (again == size) {
            p->plan->size = size;
            return again == UINT64_MAX
                       ? diag_set(p->diag, DIAG_NO, image_name(p), "the blob would be too large")
                       : DIAG_OK;
        }
        size = again;
    }
    return diag_set(p->diag, DIAG_INTERNAL, image_name(p), "the size of the blob does not settle");
}

// Where the blob would begin in a region, and how much room it has there.
static uint64_t region_room(const struct planner *p, const struct fw_region *r, uint64_t *addr)
{
    uint64_t end = r->addr + r->size;
    if (!ck_align(r->addr, place_align(p), addr) || end < r->addr || *addr >= end) {
        return 0;
    }
    uint64_t left = p->plan->blob.code.size ? image_room(p->image, *addr, UINT64_MAX) : UINT64_MAX;
    return left < end - *addr ? left : end - *addr;
}

static void take_region(struct planner *p, const struct fw_region *r, uint64_t addr, uint64_t room)
{
    p->plan->region = *r;
    p->plan->left = room - p->plan->size;
    p->plan->blob.addr = addr;
}

struct by_size {
    uint64_t size;
    const char *name;
};

static int larger_first(const void *a, const void *b)
{
    const struct by_size *x = a, *y = b;
    if (x->size != y->size) {
        return x->size > y->size ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

static void help_largest(const struct planner *p)
{
    struct by_size *list = ARENA_ARRAY(p->arena, struct by_size, p->n);
    for (unsigned i = 0; i < p->n; i++) {
        list[i] = (struct by_size){p->plan->module_sizes[i], p->modules[i].in.name};
    }
    if (p->n) {
        qsort(list, p->n, sizeof *list, larger_first);
    }
    for (unsigned i = 0; i < p->n && i < LARGEST_SHOWN; i++) {
        diag_help(p->diag, "%s takes %llu bytes", list[i].name, (unsigned long long)list[i].size);
    }
}

// What begins near the program, or where it ends, goes on with it; configuration words further away
// do not.
static uint64_t extend_end(uint64_t end, uint64_t at, uint64_t from, uint64_t to)
{
    return to > end && from - at + NEAR_PROGRAM < end - at + 2 * NEAR_PROGRAM ? to : end;
}

// Where the bytes and the variables end that lie near the program.
static uint64_t program_end(const struct planner *p)
{
    const struct image *img = p->fw->image;
    uint64_t at = image_run_to_addr(img, p->fw->pools[0].addr), end = at;
    for (unsigned i = 0; i < img->n_segments; i++) { // in order of address
        const struct image_segment *s = &img->segments[i];
        end = extend_end(end, at, s->addr, s->addr + s->size);
        end = extend_end(end, at, s->run, s->run + s->mem_size);
    }
    return end;
}

// Where constants are mapped from flash, room is made of whole pages, of which the partition table
// or the board tells: an address behind the program would be a guess.
static void help_mapped(const struct planner *p)
{
    const struct firmware *fw = p->fw;
    if (fw->image->kind == IMAGE_ESP_FLASH) {
        diag_help(p->diag, "the app fills its partition: constants grow by whole flash pages of "
                           "64K, and no further one fits; a firmware with a larger app partition, "
                           "or with fewer modules of its own, has room");
    } else if (fw->mapped_grows == FW_YES) {
        diag_help(p->diag, "the last flash page of the constants is full; --board NAME tells how "
                           "large the app's partition is, so that it may grow by further pages");
    } else {
        diag_help(p->diag, "the last flash page of the constants is full, and this firmware may "
                           "map something else behind it");
    }
}

static void help_region(const struct planner *p)
{
    uint64_t start, end = program_end(p), size;
    diag_help(p->diag, "the image does not tell how much memory its board has: name the board with "
                       "--board, or give the place with --region START:SIZE");
    bool elf = p->fw->image->kind == IMAGE_ELF;
    if (ck_align(end, PLACE_EXAMPLE, &start) && ck_align(p->plan->size, PLACE_EXAMPLE, &size)) {
        diag_help(
            p->diag, "the program%s 0x%llx; if the memory behind is free: --region 0x%llx:%lluK",
            elf ? " and its variables end at"
                : " ends (where it runs from RAM, its variables follow) at",
            (unsigned long long)end, (unsigned long long)start, (unsigned long long)(size / 1024));
    }
}

static enum diag_code no_room(const struct planner *p, uint64_t best, const struct fw_region *where)
{
    enum diag_code err;
    if (!where) {
        err = diag_set(p->diag, DIAG_NO, image_name(p),
                       "no free space for %llu bytes is known in this image",
                       (unsigned long long)p->plan->size);
        if (p->fw->mapped_end) {
            help_mapped(p);
        } else {
            help_region(p);
        }
        return err;
    }
    err = diag_set(p->diag, DIAG_NO, image_name(p),
                   "%llu bytes are missing: the modules need %llu, the region at 0x%llx has %llu",
                   (unsigned long long)(p->plan->size - best), (unsigned long long)p->plan->size,
                   (unsigned long long)where->addr, (unsigned long long)best);
    diag_help(p->diag, "the region ends at 0x%llx: %s",
              (unsigned long long)(where->addr + where->size), where->why ? where->why : "");
    if (p->fw->mapped_grows == FW_YES && where->addr + where->size == p->fw->mapped_end) {
        diag_help(p->diag,
                  "with --board NAME (which says how large the app's partition is), or with "
                  "--region 0x%llx:SIZE, the app grows by further pages",
                  (unsigned long long)where->addr);
    }
    help_largest(p);
    return err;
}

static const struct fw_region *regions(const struct planner *p, unsigned *n)
{
    const struct splice_options *o = p->options;
    *n = o->n_regions ? o->n_regions : p->fw->n_free;
    return o->n_regions ? o->regions : p->fw->free;
}

static enum diag_code find_place(struct planner *p)
{
    unsigned n;
    const struct fw_region *list = regions(p, &n), *best = NULL;
    uint64_t best_room = 0;
    p->plan->size = blob_size(&p->plan->blob);
    for (unsigned i = 0; i < n; i++) {
        uint64_t addr, room = region_room(p, &list[i], &addr);
        if (room >= p->plan->size) {
            enum diag_code err = settle_size(p, addr);
            if (err) {
                return err;
            }
        }
        if (room >= p->plan->size) {
            take_region(p, &list[i], addr, room);
            return DIAG_OK;
        }
        if (!best || room > best_room) {
            best = &list[i];
            best_room = room;
        }
    }
    return no_room(p, best_room, best);
}

static enum diag_code describe(struct planner *p)
{
    struct blob *b = &p->plan->blob;
    const struct firmware *fw = p->fw;
    b->app = p->options->app;
    b->app_version = p->options->app_version;
    b->counter = p->options->counter;
    b->signature_space = p->options->signature_space;
    b->profile_id = blob_profile(fw->major, fw->minor, fw->patch, fw->isa);
    if (!p->base) {
        p->base = blob_base_new(fw->image->file, fw->image->file_size, p->arena);
        enum diag_code err =
            p->base ? blob_base_map(p->base, fw->image, p->diag) : diag_nomem(p->diag);
        if (err) {
            return err;
        }
    }
    blob_base_extents(p->base, b);
    return DIAG_OK;
}

// Frozen modules are read by bytes, which the window for code does not allow on most of the chips,
// and the pages that are counted are those of the constants.
static enum diag_code check_behind_constants(const struct planner *p)
{
    const struct firmware *fw = p->fw;
    const struct image_segment *g = image_at(fw->image, fw->pools[0].addr);
    uint64_t addr = p->plan->blob.addr, end = g ? g->addr + g->size : 0;
    if (!g || (addr >= end && addr - end < MAPPED_PAGE)) {
        return DIAG_OK;
    }
    enum diag_code err = diag_set(p->diag, DIAG_NO, image_name(p),
                                  "0x%llx does not follow the constants, which end at 0x%llx",
                                  (unsigned long long)addr, (unsigned long long)end);
    diag_help(p->diag,
              "modules are read by bytes, which flash that is mapped for code does not allow: "
              "give a region behind the constants");
    return err;
}

// The pages of the flash MMU that the blob needs behind those of the firmware.
static enum diag_code count_pages(const struct planner *p, uint64_t *pages)
{
    const struct firmware *fw = p->fw;
    uint64_t end = p->plan->blob.addr + p->plan->size;
    *pages = 0;
    enum diag_code err = fw->mapped_end ? check_behind_constants(p) : DIAG_OK;
    if (err || !fw->mapped_end || end <= fw->mapped_end) {
        return err;
    }
    if (fw->mapped_grows != FW_YES) {
        return diag_set(p->diag, DIAG_NO, image_name(p),
                        "%llu bytes do not fit into the flash page that ends at 0x%llx, and the "
                        "firmware may use those behind it",
                        (unsigned long long)p->plan->size, (unsigned long long)fw->mapped_end);
    }
    *pages = (end - fw->mapped_end + MAPPED_PAGE - 1) / MAPPED_PAGE;
    return DIAG_OK;
}

// The number of patches depends on the references and on the pages alone: any address in reach will
// do for the first try.
static enum diag_code place(struct planner *p)
{
    unsigned n;
    const struct fw_region *list = regions(p, &n);
    uint64_t addr = n ? list[0].addr & ~(uint64_t)(BLOB_ALIGN - 1) : 0;
    for (int i = 0; i < PAGE_ROUNDS; i++) {
        uint64_t pages;
        enum diag_code err = lay_out(p, addr);
        err = err ? err : find_place(p);
        err = err ? err : count_pages(p, &pages);
        if (err || pages == p->pages) {
            return err;
        }
        p->pages = pages;
    }
    return diag_set(p->diag, DIAG_INTERNAL, image_name(p), "the number of pages does not settle");
}

static enum diag_code no_code_room(const struct planner *p)
{
    const struct firmware *fw = p->fw;
    enum diag_code err =
        diag_set(p->diag, DIAG_NO, image_name(p),
                 "%llu bytes are missing: the modules have %u bytes of machine code, the last "
                 "flash page that is mapped for code has %llu left at 0x%llx",
                 (unsigned long long)(p->frozen->code_size - fw->code_room), p->frozen->code_size,
                 (unsigned long long)fw->code_room, (unsigned long long)fw->code_at);
    diag_help(p->diag, "this chip maps code and constants apart; what has no room can be frozen as "
                       "bytecode");
    return err;
}

// Machine code that lies apart from the blob is added to the firmware first.
static enum diag_code place_apart(struct planner *p)
{
    const struct firmware *fw = p->fw;
    struct blob_code *c = &p->plan->blob.code;
    struct bytes_out undo;
    p->image = fw->image;
    if (!p->frozen->code_size) {
        return DIAG_OK;
    }
    if (p->frozen->code_size > fw->code_room) {
        return no_code_room(p);
    }
    c->addr = fw->code_at;
    c->size = p->frozen->code_size;
    bytes_out_init(&undo);
    enum diag_code err = image_undo(fw->image, c->addr, c->size, &undo, p->diag);
    err = err ? err : bytes_out_check(&undo, p->diag);
    c->undo_size = (uint32_t)undo.size;
    c->undo = err ? NULL : arena_dup(p->arena, undo.data, undo.size);
    bytes_out_free(&undo);
    struct image *with = arena_dup(p->arena, fw->image, sizeof *with);
    p->image = with;
    return err ? err : blob_make_room(&p->plan->blob, with, p->diag);
}

static enum diag_code plan(struct planner *p)
{
    enum diag_code err = check_machine(p);
    err = err ? err : freeze_modules(p);
    err = err ? err : place_apart(p);
    err = err ? err : check_references(p);
    err = err ? err : list_modules(p);
    err = err ? err : size_payload(p);
    err = err ? err : describe(p);
    err = err ? err : place(p);
    err = err ? err : lay_out(p, p->plan->blob.addr);
    p->plan->n_references = p->patches.n_references;
    if (!err) {
        blob_base_set(p->base, &p->plan->blob);
    }
    return err;
}

// Can the references to the last qstr pool be trusted to be all? Where code loads addresses as
// literal words, a word that holds the pool's address and is no reference is one that was missed.
static bool pool_is_sure(const struct firmware *fw)
{
    bool literals =
        fw->isa == IMAGE_ISA_THUMB || fw->isa == IMAGE_ISA_ARM || fw->isa == IMAGE_ISA_XTENSA;
    unsigned n = 0;
    for (unsigned i = 0; i < fw->pool_refs.n; i++) {
        n += fw->pool_refs.refs[i].kind == FW_REF_WORD && !fw->pool_refs.refs[i].addend;
    }
    return fw->pool_refs.n && fw->pool_refs.n <= REFERENCES_MAX &&
           (!literals || fw->image->pic || fw->pool_words <= n);
}

// The first pool of a position-independent program has no relocated word to link a new one to.
static bool pool_can_move(const struct firmware *fw)
{
    return fw->n_pools > 1 || !fw->image->pic;
}

enum diag_code splice_plan(const struct firmware *fw, const struct splice_module *modules,
                           unsigned n, const struct splice_options *options, struct arena *a,
                           struct diag *d, struct splice_plan **out)
{
    struct planner p = {.fw = fw,
                        .modules = modules,
                        .n = n,
                        .options = options,
                        .arena = a,
                        .diag = d,
                        .base = options->base,
                        .plan = ARENA_NEW(a, struct splice_plan)};
    bool can_move = pool_can_move(fw);
    p.pools = pool_is_sure(fw) || !can_move ? FREEZE_POOLS_BEHIND : FREEZE_POOLS_IN_PLACE;
    struct planner again = p;
    enum diag_code err = plan(&p);
    if (err && p.pool_failed && can_move) {
        again.base = p.base; // what was begun with it goes on
        again.pools = FREEZE_POOLS_IN_PLACE;
        again.plan = ARENA_NEW(a, struct splice_plan);
        diag_init(d);
        p = again;
        err = plan(&p);
    }
    *out = err ? NULL : p.plan;
    return err;
}
