// The scan: one pass after the other. See scan.h for what each may rely on.
#include <stdarg.h>
#include <stdio.h>

#include "format/blob/blob.h"
#include "format/firmware/scan.h"

enum { SCAN_NOTE_MAX = 300 };

const char *fw_isa_name(enum image_machine isa)
{
    static const char *const names[] = {"unknown", "thumb", "arm", "rv32",   "rv64",
                                        "xtensa",  "x86",   "x64", "aarch64"};
    return names[isa];
}

void scan_note(struct scan *s, const char *what, uint64_t addr, const char *why, const char *fmt,
               ...)
{
    struct firmware *fw = s->fw;
    char text[SCAN_NOTE_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (fw->n_evidence == s->evidence_cap) {
        unsigned cap = s->evidence_cap ? 2 * s->evidence_cap : 32;
        struct fw_evidence *grown = arena_grow(
            s->arena, fw->evidence, s->evidence_cap * sizeof *grown, cap * sizeof *grown);
        if (!grown)
            return;
        fw->evidence = grown;
        s->evidence_cap = cap;
    }
    const char *value = arena_strndup(s->arena, text, strlen(text));
    if (value)
        fw->evidence[fw->n_evidence++] = (struct fw_evidence){what, value, addr, why};
}

static enum diag_code find_pools(struct scan *s, struct image *img)
{
    enum diag_code c = img->base_known ? DIAG_OK : base_infer(s, img);
    if (!c)
        c = view_index(&s->view, s->arena, s->diag);
    return c ? c : pool_scan(s);
}

// --- products

static bool in_blob(const struct image *img, const struct blob *b, uint64_t run)
{
    uint64_t addr = image_run_to_addr(img, run);
    return addr != UINT64_MAX && addr - b->addr < b->layout.size;
}

// Code of the payload; the rest of a blob is no code, but holds what was written into code.
static bool in_payload(const struct image *img, const struct blob *b, uint64_t run)
{
    return in_blob(img, b, run) &&
           image_run_to_addr(img, run) - b->addr - BLOB_HEADER < b->payload_size;
}

// Did the blob change a byte of the instruction or word at a run-time address?
static bool is_patched(const struct image *img, const struct blob *b, uint64_t run)
{
    enum { INSTRUCTION_MAX = 8 };
    uint64_t addr = run ? image_run_to_addr(img, run) : UINT64_MAX;
    for (uint32_t i = 0; addr != UINT64_MAX && i < b->n_patches; i++)
        if (b->patches[i].addr < addr + INSTRUCTION_MAX &&
            addr < b->patches[i].addr + b->patches[i].size)
            return true;
    return false;
}

// Stock code may hold addresses behind the stock data at which nothing is stored (ESP-IDF gives its
// log texts such ones); in a product something lies there. What the blob did not change does not
// refer to what is in it.
static void drop_chance(const struct image *img, const struct blob *b, struct fw_refs *refs)
{
    unsigned n = 0;
    for (unsigned i = 0; i < refs->n; i++) {
        const struct fw_ref *r = &refs->refs[i];
        bool stock = !in_blob(img, b, r->addr);
        bool changed = is_patched(img, b, r->addr) || is_patched(img, b, r->addr2);
        if (stock ? changed || !in_blob(img, b, r->target) : in_payload(img, b, r->addr))
            refs->refs[n++] = *r;
    }
    refs->n = n;
}

// A broken blob is for others to report.
static void find_blob(struct scan *s, struct image *img)
{
    struct diag ignored;
    diag_init(&ignored);
    if (blob_find(img, s->arena, &ignored, &s->blob))
        s->blob = NULL;
}

bool scan_is_spliced(const struct scan *s, uint64_t run)
{
    return s->blob && in_blob(s->view.image, s->blob, run);
}

bool scan_is_record(const struct scan *s, uint64_t run)
{
    return scan_is_spliced(s, run) && !in_payload(s->view.image, s->blob, run);
}

// What is known of a product from its blob: which modules and references are not the vendor's.
static void use_blob(struct scan *s, const struct image *img)
{
    struct firmware *fw = s->fw;
    const struct blob *b = s->blob;
    if (!b)
        return;
    for (unsigned i = 0; i < fw->n_modules; i++)
        fw->modules[i].spliced = scan_is_spliced(s, fw->modules[i].addr);
    struct fw_refs *lists[] = {&fw->names_refs, &fw->content_refs, &fw->pool_refs,
                               &fw->str_sizes_refs, &fw->str_content_refs};
    for (unsigned i = 0; !img->pic && i < sizeof lists / sizeof *lists; i++)
        drop_chance(img, b, lists[i]);
}

// What an image may have and this one has not, each with the reason.
static void note_absent(struct scan *s)
{
    const struct firmware *fw = s->fw;
    const struct {
        bool absent;
        const char *what, *value, *why;
    } notes[] = {
        {!fw->board[0], "board", "unknown", "neither sys.implementation nor a banner names one"},
        {!fw->build_name[0], "build name", "unknown",
         "sys.implementation has none; releases from 1.25 on may have one"},
        {fw->mpy_abi < 0, ".mpy", "unknown",
         "sys.implementation has no _mpy: this build may not load .mpy files"},
        {!fw->objects[FW_FUN_TABLE], "native code", fw->native == FW_UNKNOWN ? "unknown" : "no",
         "no table of None, False, True and functions was found"},
        {fw->frozen == FW_YES && !fw->str_sizes && !fw->n_str, "frozen sources", "none",
         "no tables of texts beside the names: not supported, or folded away by the build"},
    };
    for (unsigned i = 0; i < sizeof notes / sizeof *notes; i++)
        if (notes[i].absent)
            scan_note(s, notes[i].what, 0, notes[i].why, "%s", notes[i].value);
}

static enum diag_code run_passes(struct scan *s, struct image *img, struct firmware **out)
{
    enum diag_code c = view_init(&s->view, img, s->arena, s->diag);
    if (c)
        return c;
    struct diag why;
    diag_init(&why);
    struct diag *report = s->diag;
    s->diag = &why;
    c = find_pools(s, img);
    c = c ? c : type_scan(s);
    s->diag = report;
    if (c == DIAG_NO && release_refuse_named(s))
        return isa_scan(s), *out = s->fw, DIAG_NO;
    if (c) {
        if (report)
            *report = why;
        return c;
    }
    *out = s->fw;
    isa_scan(s);
    find_blob(s, img);
    if ((c = release_scan(s)) || (c = frozen_scan(s)) || (c = option_scan(s)) ||
        (c = ref_scan(s)) || (c = raw_scan(s)) || (c = symbol_confirm(s)))
        return c;
    use_blob(s, img);
    note_absent(s);
    return region_scan(s);
}

// Passes look at many candidates and drop those that they cannot follow. One that was dropped for
// lack of memory must not become "not found".
enum diag_code firmware_scan(struct image *img, struct diag *d, struct firmware **out)
{
    struct scan s = {.arena = img->arena, .diag = d};
    *out = NULL;
    s.fw = ARENA_NEW(s.arena, struct firmware);
    if (!s.fw)
        return diag_nomem(d);
    *s.fw = (struct firmware){.image = img,
                              .version = "",
                              .build = "",
                              .board = "",
                              .build_name = "",
                              .mpy_abi = -1,
                              .isa = img->machine,
                              .ptr = img->address_bits == 64 ? 8 : 4};
    bool failed_before = s.arena->failed;
    s.arena->failed = false;
    enum diag_code c = run_passes(&s, img, out);
    if (*out && !s.arena->failed)
        firmware_gather_starts(*out, s.arena);
    if (s.arena->failed)
        return *out = NULL, diag_nomem(d);
    s.arena->failed = failed_before;
    return c;
}
