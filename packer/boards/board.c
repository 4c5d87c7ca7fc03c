#include "packer/boards/board.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <ini.h>

#include "format/file.h"
#include "format/number.h"
#include "packer/boards/table.h"

enum {
    BOARDS_MAX = 1000,        // sections in one text
    BOARD_INI_MAX = 256 << 10 // bytes of one text
};

// One text being parsed.
struct board_parser {
    struct arena *arena;
    struct diag *diag;
    const char *file;
    const struct boards *base;
    struct boards *boards;
    struct board *board; // of the current section
    char section[64];
    char problem[256]; // what the first failing line did wrong
};

static bool board_problem(struct board_parser *p, const char *fmt, const char *what)
{
    if (!p->problem[0]) {
        snprintf(p->problem, sizeof p->problem, fmt, what);
    }
    return false;
}

static const char *board_text(struct board_parser *p, const char *text)
{
    return arena_strndup(p->arena, text, strlen(text));
}

static bool board_parse_ranges(struct board_parser *p, const char *text, struct board_ranges *out)
{
    *out = (struct board_ranges){0};
    for (const char *s = text + strspn(text, " "); *s; s += strspn(s, " ")) {
        struct board_range r;
        uint64_t end;
        if (out->n == BOARD_RANGES) {
            return board_problem(p, "more than four ranges: %s", text);
        }
        if (!number_size(&s, &r.start) || *s++ != ':' || !number_size(&s, &r.size) ||
            (*s && *s != ' ') || r.size == 0 || !ck_add(r.start, r.size, &end)) {
            return board_problem(p, "not START:SIZE: %s", text);
        }
        out->at[out->n++] = r;
    }
    return true;
}

static const struct board *boards_named(const struct boards *boards, const char *name);

static bool board_like(struct board_parser *p, const char *name)
{
    const struct board *from = boards_named(p->boards, name);
    from = from || !p->base ? from : boards_named(p->base, name);
    if (!from || from == p->board) {
        return board_problem(p, "like = %s: no such board (above this line)", name);
    }
    const char *own = p->board->name;
    *p->board = *from;
    p->board->name = own;
    p->board->aliases = "";
    p->board->note = "";
    p->board->file = p->file;
    return true;
}

static bool board_set(struct board_parser *p, const char *name, const char *value)
{
    struct board *b = p->board;
    const struct {
        const char *name;
        const char **to;
    } texts[] = {{"title", &b->title}, {"alias", &b->aliases},   {"port", &b->port},
                 {"mcu", &b->mcu},     {"machine", &b->machine}, {"container", &b->container},
                 {"note", &b->note}};
    const struct {
        const char *name;
        struct board_ranges *to;
    } ranges[] = {{"flash", &b->flash},
                  {"app", &b->app},
                  {"fs", &b->fs},
                  {"romfs", &b->romfs},
                  {"ignore", &b->ignore}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, name) == 0) {
            *texts[i].to = board_text(p, value);
            return true;
        }
    }
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        if (strcmp(ranges[i].name, name) == 0) {
            return board_parse_ranges(p, value, ranges[i].to);
        }
    }
    if (strcmp(name, "by-offset") == 0) {
        b->by_offset = strcmp(value, "yes") == 0;
        return true;
    }
    return strcmp(name, "like") == 0 ? board_like(p, value)
                                     : board_problem(p, "unknown key '%s'", name);
}

static bool board_begin(struct board_parser *p, const char *section)
{
    struct boards *all = p->boards;
    if (all->n == BOARDS_MAX) {
        return board_problem(p, "too many boards at [%s]", section);
    }
    snprintf(p->section, sizeof p->section, "%s", section);
    all->at = arena_room(p->arena, all->at, all->n, sizeof *all->at);
    if (!all->at) {
        return board_problem(p, "out of memory at [%s]", section);
    }
    p->board = &all->at[all->n++];
    const char *none = "";
    *p->board = (struct board){.title = none,
                               .aliases = none,
                               .port = none,
                               .mcu = none,
                               .machine = none,
                               .container = none,
                               .note = none,
                               .file = p->file};
    p->board->name = board_text(p, section);
    return true;
}

static int board_handler(void *user, const char *section, const char *name, const char *value)
{
    struct board_parser *p = user;
    if (!*section) {
        return board_problem(p, "'%s' stands before the first [BOARD]", name);
    }
    if ((!p->board || strncmp(p->section, section, sizeof p->section - 1) != 0) &&
        !board_begin(p, section)) {
        return 0;
    }
    return board_set(p, name, value);
}

static int board_order(const void *x, const void *y)
{
    return strcmp(((const struct board *)x)->name, ((const struct board *)y)->name);
}

enum diag_code boards_parse(const char *text, const char *file, const struct boards *base,
                            struct arena *a, struct diag *d, struct boards **out)
{
    struct board_parser p = {.arena = a, .diag = d, .file = file, .base = base};
    *out = NULL;
    p.boards = ARENA_NEW(a, struct boards);
    if (!p.boards) {
        return diag_nomem(d);
    }
    int line = ini_parse_string(text, board_handler, &p);
    if (line != 0) {
        return diag_set_text(d, DIAG_MALFORMED, file, line > 0 ? (uint32_t)line : 0, 0, "%s",
                             p.problem[0] ? p.problem : "not a 'key = value' line");
    }
    if (p.boards->n == 0) {
        return diag_set(d, DIAG_MALFORMED, file, "no [BOARD] in this file");
    }
    *out = p.boards;
    return DIAG_OK;
}

// The built-in files one behind the other, each able to name the boards of those before it.
enum diag_code boards_load(struct arena *a, struct diag *d, struct boards **out)
{
    struct boards *all = ARENA_NEW(a, struct boards);
    *out = NULL;
    if (!all) {
        return diag_nomem(d);
    }
    for (size_t i = 0; boards_table[i].file; i++) {
        struct boards *some;
        if (boards_parse(boards_table[i].text, boards_table[i].file, all, a, d, &some)) {
            return DIAG_INTERNAL;
        }
        size_t had = all->n * sizeof *all->at, more = some->n * sizeof *some->at;
        all->at = arena_grow(a, all->at, had, had + more);
        if (!all->at) {
            return diag_nomem(d);
        }
        memcpy(all->at + all->n, some->at, more);
        all->n += some->n;
    }
    qsort(all->at, all->n, sizeof *all->at, board_order);
    *out = all;
    return DIAG_OK;
}

static bool board_has_alias(const struct board *b, const char *name)
{
    size_t n = strlen(name);
    for (const char *s = b->aliases; *s; s += strspn(s, " ")) {
        size_t len = strcspn(s, " ");
        if (len == n && strncasecmp(s, name, n) == 0) {
            return true;
        }
        s += len;
    }
    return false;
}

static const struct board *boards_named(const struct boards *boards, const char *name)
{
    for (unsigned i = 0; i < boards->n; i++) {
        if (strcasecmp(boards->at[i].name, name) == 0) {
            return &boards->at[i];
        }
    }
    for (unsigned i = 0; i < boards->n; i++) {
        if (board_has_alias(&boards->at[i], name)) {
            return &boards->at[i];
        }
    }
    return NULL;
}

static enum diag_code board_unknown(const struct boards *boards, const char *name, struct diag *d)
{
    char near[256] = "";
    size_t used = 0, n = strlen(name) < 4 ? strlen(name) : 4;
    for (unsigned i = 0; i < boards->n; i++) {
        const char *other = boards->at[i].name;
        if (strncasecmp(other, name, n) == 0 && used + strlen(other) + 2 < sizeof near) {
            used += (size_t)snprintf(near + used, sizeof near - used, " %s", other);
        }
    }
    diag_set(d, DIAG_USAGE, NULL, "unknown board %s", name);
    if (used) {
        diag_help(d, "near it:%s", near);
    }
    diag_help(d,
              "see mpy-freeze boards; a board of your own is a small .ini file: --board FILE.ini");
    return DIAG_USAGE;
}

static bool board_is_file(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && strcasecmp(dot, ".ini") == 0;
}

static enum diag_code board_from_file(const char *name, const struct boards *base, struct arena *a,
                                      struct diag *d, const struct board **out)
{
    struct file f;
    struct boards *own;
    enum diag_code err = file_read_text(name, BOARD_INI_MAX, a, d, &f);
    err = err ? err : boards_parse((const char *)f.data, name, base, a, d, &own);
    if (!err) {
        *out = &own->at[own->n - 1];
    }
    return err;
}

enum diag_code board_find(const char *name, struct arena *a, struct diag *d,
                          const struct board **out)
{
    struct boards *boards;
    *out = NULL;
    enum diag_code err = boards_load(a, d, &boards);
    if (err) {
        return err;
    }
    if (board_is_file(name)) {
        return board_from_file(name, boards, a, d, out);
    }
    *out = boards_named(boards, name);
    return *out ? DIAG_OK : board_unknown(boards, name, d);
}

// The length of the alternative in "A | B | C" that machine begins with as a whole name: what
// follows is its end, or " with MCU". 0 if there is none.
static size_t board_machine(const struct board *b, const char *machine)
{
    for (const char *s = b->machine; *s; s += strspn(s, " |")) {
        size_t n = strcspn(s, "|"), len = n;
        while (len && s[len - 1] == ' ') {
            len--;
        }
        if (len && strncmp(machine, s, len) == 0 && !isalnum((unsigned char)machine[len]) &&
            (machine[len] != ' ' || strncmp(machine + len, " with", 5) == 0 ||
             machine[len + 1] == '(')) {
            return len;
        }
        s += n;
    }
    return 0;
}

const struct board *board_match(const struct boards *boards, const char *machine)
{
    for (unsigned i = 0; i < boards->n; i++) {
        if (board_machine(&boards->at[i], machine)) {
            return &boards->at[i];
        }
    }
    return NULL;
}

// Checks and free space

static bool range_overlaps(const struct board_range *r, uint64_t start, uint64_t size)
{
    return start < r->start + r->size && r->start < start + size;
}

static const struct board_range *ranges_overlap(const struct board_ranges *ranges, uint64_t start,
                                                uint64_t size)
{
    for (unsigned i = 0; i < ranges->n; i++) {
        if (range_overlaps(&ranges->at[i], start, size)) {
            return &ranges->at[i];
        }
    }
    return NULL;
}

static bool ranges_hold(const struct board_ranges *ranges, uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < ranges->n; i++) {
        const struct board_range *r = &ranges->at[i];
        if (start >= r->start && in_range(start - r->start, size, r->size)) {
            return true;
        }
    }
    return ranges->n == 0;
}

static enum diag_code board_contradiction(const struct board *b, const struct firmware *fw,
                                          struct diag *d)
{
    diag_help(d, "the board is %s (%s), from %s", b->name, b->title, b->file);
    if (fw->board && fw->board[0]) {
        diag_help(d, "the image calls itself %s", fw->board);
    }
    diag_help(d, "leave --board away to go by the image alone, or give the right board");
    return DIAG_NO;
}

static enum diag_code board_check_segment(const struct board *b, const struct firmware *fw,
                                          const struct image_segment *s, struct diag *d)
{
    const struct board_range *fs = ranges_overlap(&b->fs, s->addr, s->size);
    if (s->size == 0 || ranges_overlap(&b->ignore, s->addr, s->size)) {
        return DIAG_OK;
    }
    if (!ranges_hold(&b->flash, s->addr, s->size)) {
        diag_set(d, DIAG_NO, fw->image->name,
                 "the image has bytes at 0x%08" PRIx64 " to 0x%08" PRIx64
                 ", outside the memory of board %s",
                 s->addr, s->addr + s->size, b->name);
        return board_contradiction(b, fw, d);
    }
    if (fs) {
        diag_set(d, DIAG_NO, fw->image->name,
                 "the image has bytes at 0x%08" PRIx64 " to 0x%08" PRIx64
                 ", in the file system of board %s at 0x%08" PRIx64,
                 s->addr, s->addr + s->size, b->name, fs->start);
        return board_contradiction(b, fw, d);
    }
    return DIAG_OK;
}

static enum diag_code board_check_file(const struct board *b, const struct firmware *fw,
                                       struct diag *d)
{
    const struct image *img = fw->image;
    if (img->kind == IMAGE_ESP_APP && b->app.n && img->file_size > b->app.at[0].size) {
        diag_set(d, DIAG_NO, img->name,
                 "the image has %zu bytes, the partition of board %s %" PRIu64, img->file_size,
                 b->name, b->app.at[0].size);
        return board_contradiction(b, fw, d);
    }
    return DIAG_OK;
}

enum diag_code board_check(const struct board *b, const struct firmware *fw, struct diag *d)
{
    if (b->machine[0] && fw->board && fw->board[0] && !board_machine(b, fw->board)) {
        diag_set(d, DIAG_NO, fw->image->name, "the image is for another board than %s", b->name);
        return board_contradiction(b, fw, d);
    }
    if (b->by_offset) {
        return board_check_file(b, fw, d);
    }
    for (unsigned i = 0; i < fw->image->n_segments; i++) {
        enum diag_code err = board_check_segment(b, fw, &fw->image->segments[i], d);
        if (err) {
            return err;
        }
    }
    return DIAG_OK;
}

// The end of the last byte of the image in a range, 0 if it holds none.
static uint64_t board_used(const struct image *img, const struct board_range *r)
{
    uint64_t end = 0;
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        if (s->size && range_overlaps(r, s->addr, s->size) && s->addr + s->size > end) {
            end = s->addr + s->size;
        }
    }
    return end;
}

// Where the first protected range behind start begins, or end.
static uint64_t board_limit(const struct board *b, uint64_t start, uint64_t end, const char **why)
{
    const struct board_ranges *keep[] = {&b->fs, &b->romfs};
    static const char *const names[] = {"file system", "ROMFS partition"};
    *why = "end of the application area";
    for (unsigned k = 0; k < 2; k++) {
        for (unsigned i = 0; i < keep[k]->n; i++) {
            uint64_t at = keep[k]->at[i].start, after = at + keep[k]->at[i].size;
            if (after > start && at < end) {
                end = at > start ? at : start;
                *why = names[k];
            }
        }
    }
    return end;
}

enum diag_code board_free(const struct board *b, const struct image *img, struct arena *a,
                          struct diag *d, struct fw_region **regions, unsigned *n)
{
    *n = 0;
    *regions = ARENA_ARRAY(a, struct fw_region, BOARD_RANGES);
    if (!*regions) {
        return diag_nomem(d);
    }
    for (unsigned i = 0; i < b->app.n && !b->by_offset; i++) {
        const struct board_range *app = &b->app.at[i];
        uint64_t used = board_used(img, app), end = app->start + app->size;
        const char *why;
        if (used == 0 || used >= end) {
            continue; // a part that the image does not use at all may belong to something else
        }
        end = board_limit(b, used, end, &why);
        if (end > used) {
            const char *text = arena_printf(a, "%s of %s at 0x%08" PRIx64, why, b->name, end);
            (*regions)[(*n)++] = (struct fw_region){used, end - used, text, true};
        }
    }
    return DIAG_OK;
}
