// Intel HEX: text records of up to 255 bytes. Everything that is not data (line ends, case, record
// lengths, address records) is kept as it stands in the file; only the digits of changed bytes and
// their record's checksum are written anew. Facts: Intel HEX rev. A (types 0 to 5); micro:bit
// Universal Hex (types 0x0a to 0x0e: one file, an image for each board revision, of which the
// largest gives the address space).
#include "format/image/gather.h"

enum {
    HEX_DATA = 0,
    HEX_EOF = 1,
    HEX_SEGMENT = 2,
    HEX_START_SEGMENT = 3,
    HEX_LINEAR = 4,
    HEX_START_LINEAR = 5,
    HEX_BLOCK_START = 0x0a,
    HEX_BLOCK_END = 0x0b,
    HEX_PADDED = 0x0c,
    HEX_CUSTOM = 0x0d,
    HEX_OTHER = 0x0e,
    HEX_HEAD = 9, // characters before the data: ':', length, address, type
    HEX_BOARDS_MAX = 16,
    HEX_BLOCK = 512, // a board's section ends at a multiple of this
    HEX_GROWN = 16,  // data bytes of the records we add, unless the file's are shorter
};

struct ihex_record {
    size_t at; // of the ':'
    unsigned n, type;
    uint16_t offset;
    const uint8_t *text; // of the data digits
};

struct ihex_board {
    uint16_t id; // of a universal hex; 0 outside of any section
    uint64_t bytes;
};

struct ihex {
    struct image_pieces pieces;
    struct ihex_board boards[HEX_BOARDS_MAX];
    unsigned n_boards, main;
    bool universal, lower, segmented; // lower-case digits; type 2 address records
    unsigned data_type;               // of the main board's data records
    unsigned width;                   // data bytes of its longest record
    const char *newline;              // "\n", "\r\n" or "\r"
    size_t insert; // where records can be added: behind the last data record or section
    uint64_t base; // address base in force there
};

// Value of a hexadecimal digit + 1; 0 for other characters.
static const uint8_t ihex_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
    ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

// The byte that two digits give, or -1.
static inline int ihex_byte(const uint8_t *p)
{
    int high = ihex_digits[p[0]], low = ihex_digits[p[1]];
    return high && low ? (high - 1) << 4 | (low - 1) : -1;
}

static bool ihex_is_space(uint8_t c)
{
    return c == '\n' || c == '\r' || c == ' ' || c == '\t' || c == 0x1a;
}

static void ihex_skip_space(struct bytes_in *in)
{
    while (in->pos < in->size && ihex_is_space(in->data[in->pos])) {
        in->pos++;
    }
}

// All digits of a record, and its checksum.
static bool ihex_check(struct bytes_in *in, const struct ihex_record *r)
{
    const uint8_t *p = in->data + r->at + 1;
    uint8_t sum = 0;
    for (unsigned i = 0; i < 5 + r->n; i++) {
        int v = ihex_byte(p + 2 * i);
        if (v < 0) {
            in->pos = r->at + 1 + 2 * i;
            bytes_fail(in, "record data", "is not a hexadecimal number");
            return false;
        }
        sum = (uint8_t)(sum + v);
    }
    if (sum != 0) {
        in->pos = r->at + HEX_HEAD + 2 * r->n;
        bytes_fail(in, "record checksum", "is wrong by 0x%02x", sum);
    }
    return sum == 0;
}

// Reads one record; its digits and checksum are right afterwards if check says to look.
static bool ihex_next(struct bytes_in *in, struct ihex_record *r, bool check)
{
    r->at = in->pos;
    const uint8_t *p = bytes_take(in, HEX_HEAD, "record");
    if (!p) {
        return false;
    }
    int n = p[0] == ':' ? ihex_byte(p + 1) : -1;
    if (n < 0) {
        in->pos = r->at;
        bytes_fail(in, "record", "does not begin with ':' and a length");
        return false;
    }
    r->n = (unsigned)n;
    r->text = bytes_take(in, 2 * (uint64_t)r->n + 2, "record data");
    if (!r->text || (check && !ihex_check(in, r))) {
        return false;
    }
    r->offset = (uint16_t)((unsigned)ihex_byte(p + 3) << 8 | (unsigned)ihex_byte(p + 5));
    r->type = (unsigned)ihex_byte(p + 7);
    return true;
}

static unsigned ihex_value(const struct ihex_record *r, unsigned i)
{
    return (unsigned)ihex_byte(r->text + 2 * i);
}

static const uint8_t ihex_lengths[] = {
    // of the types with a fixed one
    [HEX_EOF] = 0,    [HEX_SEGMENT] = 2,      [HEX_START_SEGMENT] = 4,
    [HEX_LINEAR] = 2, [HEX_START_LINEAR] = 4,
};

// The state that records change.
struct ihex_state {
    uint64_t base;
    bool segmented; // base is from a type 2 record: offsets wrap at 64 KiB
    unsigned board; // index
};

static bool ihex_board(struct ihex *h, struct bytes_in *in, uint16_t id, unsigned *index)
{
    for (unsigned i = 0; i < h->n_boards; i++) {
        if (h->boards[i].id == id) {
            *index = i;
            return true;
        }
    }
    if (h->n_boards == HEX_BOARDS_MAX) {
        bytes_fail(in, "block start", "names more than %d boards", HEX_BOARDS_MAX);
        return false;
    }
    *index = h->n_boards;
    h->boards[h->n_boards++].id = id;
    return true;
}

// Boards of one revision share an image: 0x9900 and 0x9901, 0x9903 to 0x9906.
static uint16_t ihex_revision(uint16_t id)
{
    return id == 0x9901 ? 0x9900 : id >= 0x9903 && id <= 0x9906 ? 0x9903 : id;
}

// Takes a record that is not data; false on an error.
static bool ihex_control(struct ihex *h, struct bytes_in *in, const struct ihex_record *r,
                         struct ihex_state *s)
{
    size_t end = in->pos;
    in->pos = r->at;
    if (r->type <= HEX_START_LINEAR && r->n != ihex_lengths[r->type]) {
        bytes_fail(in, "record length", "is %u, a record of type %u has %u bytes", r->n, r->type,
                   ihex_lengths[r->type]);
    } else if (r->type > HEX_START_LINEAR && (r->type < HEX_BLOCK_START || r->type > HEX_OTHER)) {
        bytes_fail(in, "record type", "is %u, 0 to 5 and 10 to 14 are allowed", r->type);
    } else if (r->type == HEX_BLOCK_START && r->n < 2) {
        bytes_fail(in, "record length", "is %u, a block start names its board in 2 bytes", r->n);
    }
    if (in->failed) {
        return false;
    }
    in->pos = end;
    unsigned value = r->n >= 2 ? ihex_value(r, 0) << 8 | ihex_value(r, 1) : 0;
    if (r->type == HEX_SEGMENT || r->type == HEX_LINEAR) {
        s->segmented = r->type == HEX_SEGMENT;
        s->base = (uint64_t)value << (s->segmented ? 4 : 16);
    } else if (r->type == HEX_BLOCK_START) {
        h->universal = true;
        return ihex_board(h, in, ihex_revision((uint16_t)value), &s->board);
    }
    return true;
}

static bool ihex_is_data(const struct ihex *h, const struct ihex_record *r)
{
    return r->type == HEX_DATA || (r->type == HEX_CUSTOM && h->universal);
}

// Calls for every record: take returns false to stop with an error.
typedef bool ihex_take(struct ihex *h, struct bytes_in *in, const struct ihex_record *r,
                       struct ihex_state *s, struct image *img);

static enum diag_code ihex_walk(struct image *img, struct ihex *h, ihex_take *take, bool check,
                                struct diag *d)
{
    struct bytes_in in;
    struct ihex_record r = {.type = HEX_DATA};
    struct ihex_state s = {0};
    bytes_in_init(&in, img->file, img->file_size, img->name, d);
    ihex_skip_space(&in);
    while (r.type != HEX_EOF && ihex_next(&in, &r, check)) {
        bool data = ihex_is_data(h, &r);
        if ((!data && !ihex_control(h, &in, &r, &s)) || !take(h, &in, &r, &s, img)) {
            return in.failed ? in.failed : DIAG_NOMEM;
        }
        ihex_skip_space(&in);
    }
    return in.failed || !bytes_left(&in) ? in.failed
                                         : bytes_fail(&in, "record", "bytes follow the end record");
}

static bool ihex_count(struct ihex *h, struct bytes_in *in, const struct ihex_record *r,
                       struct ihex_state *s, struct image *img)
{
    (void)img;
    (void)in;
    if (ihex_is_data(h, r)) {
        h->boards[s->board].bytes += r->n;
    }
    return true;
}

static bool ihex_collect(struct ihex *h, struct bytes_in *in, const struct ihex_record *r,
                         struct ihex_state *s, struct image *img)
{
    bool section_end = h->universal && r->type == HEX_BLOCK_END;
    if ((section_end || (!h->universal && ihex_is_data(h, r))) && s->board == h->main) {
        h->insert = in->pos;
        h->base = s->segmented ? UINT64_MAX : s->base;
    }
    if (!ihex_is_data(h, r) || s->board != h->main || r->n == 0) {
        h->segmented |= r->type == HEX_SEGMENT;
        return true;
    }
    h->data_type = r->type;
    h->width = r->n > h->width ? r->n : h->width;
    // Within a segment the offset wraps; linear addresses do not.
    unsigned first = s->segmented && r->offset + r->n > 0x10000 ? 0x10000u - r->offset : r->n;
    size_t at = r->at + HEX_HEAD;
    bool ok = image_piece_add(img->arena, &h->pieces, s->base + r->offset, first, at);
    if (ok && first < r->n) {
        ok = image_piece_add(img->arena, &h->pieces, s->base, r->n - first, at + 2 * first);
    }
    return ok;
}

static void ihex_style(struct ihex *h, const struct image *img)
{
    h->newline = "\n";
    for (size_t i = 0; i < img->file_size; i++) {
        uint8_t c = img->file[i];
        if (c == '\r' || c == '\n') {
            bool both = c == '\r' && i + 1 < img->file_size && img->file[i + 1] == '\n';
            h->newline = both ? "\r\n" : c == '\r' ? "\r" : "\n";
            break;
        }
    }
    bool lower = false, upper = false;
    for (size_t i = 0; i < img->file_size && !lower && !upper; i++) {
        lower = img->file[i] >= 'a' && img->file[i] <= 'f';
        upper = img->file[i] >= 'A' && img->file[i] <= 'F';
    }
    h->lower = lower;
}

static enum diag_code ihex_read(struct image *img, struct diag *d)
{
    struct ihex *h = ARENA_NEW(img->arena, struct ihex);
    if (!h) {
        return diag_nomem(d);
    }
    h->n_boards = 1; // outside of sections
    enum diag_code err = ihex_walk(img, h, ihex_count, true, d);
    for (unsigned i = 1; i < h->n_boards && !err; i++) {
        h->main = h->boards[i].bytes > h->boards[h->main].bytes ? i : h->main;
    }
    err = err ? err : ihex_walk(img, h, ihex_collect, false, d);
    if (err) {
        return err == DIAG_NOMEM ? diag_nomem(d) : err;
    }
    if (!h->pieces.n) {
        return diag_set_binary(d, DIAG_MALFORMED, img->name, 0, "record", "the file holds no data");
    }
    ihex_style(h, img);
    err = image_gather(img, &h->pieces, "record address", "flash", d);
    for (size_t i = 0; i < h->pieces.n && !err; i++) {
        const struct image_piece *p = &h->pieces.items[i];
        for (uint32_t k = 0; k < p->size; k++) {
            p->data[k] = (uint8_t)ihex_byte(img->file + p->at + 2 * k);
        }
    }
    img->address_bits = 32;
    img->container = h;
    return err;
}

static bool ihex_of_others(struct ihex *h, struct bytes_in *in, const struct ihex_record *r,
                           struct ihex_state *s, struct image *img)
{
    (void)img;
    if (ihex_is_data(h, r) && s->board != h->main && r->n) {
        bytes_fail(in, "record", "belongs to another board");
    }
    return !in->failed;
}

static bool ihex_elsewhere(const struct image *img, uint64_t *offset)
{
    struct image copy = *img;
    struct ihex h = *(const struct ihex *)img->container;
    struct diag d;
    diag_init(&d);
    bool found = ihex_walk(&copy, &h, ihex_of_others, false, &d) != DIAG_OK;
    *offset = d.offset;
    return found;
}

// The first record decides: a script or a text may begin with ':' too.
static bool ihex_probe(const uint8_t *data, size_t size)
{
    size_t i = 0;
    while (i < size && ihex_is_space(data[i])) {
        i++;
    }
    if (size - i < HEX_HEAD + 2 || data[i] != ':') {
        return false;
    }
    for (unsigned k = 1; k < HEX_HEAD + 2; k++) {
        if (!ihex_digits[data[i + k]]) {
            return false;
        }
    }
    return true;
}

static const char *ihex_describe(const struct image *img, struct arena *a)
{
    const struct ihex *h = img->container;
    if (!h->universal) {
        return h->segmented ? "Intel HEX, segment addresses" : "Intel HEX, linear addresses";
    }
    uint16_t id = h->boards[h->main].id;
    const char *text = arena_printf(a, "universal Intel HEX, image of board 0x%04x%s", id,
                                    id == 0x9900   ? " (micro:bit V1)"
                                    : id == 0x9903 ? " (micro:bit V2)"
                                                   : "");
    for (unsigned i = 1; i < h->n_boards && text; i++) {
        if (i != h->main) {
            text = arena_printf(a, "%s (also holds board 0x%04x, %llu bytes)", text,
                                h->boards[i].id, (unsigned long long)h->boards[i].bytes);
        }
    }
    return text;
}

static void ihex_put_byte(const struct ihex *h, uint8_t *p, uint8_t v)
{
    const char *digits = h->lower ? "0123456789abcdef" : "0123456789ABCDEF";
    p[0] = (uint8_t)digits[v >> 4];
    p[1] = (uint8_t)digits[v & 15];
}

// Writes the bytes of a piece that differ from the text, and the checksum of the record around it.
static void ihex_update(const struct ihex *h, const struct image_piece *p, uint8_t *text)
{
    uint8_t change = 0;
    for (uint32_t i = 0; i < p->size; i++) {
        uint8_t *at = text + p->at + 2 * i, old = (uint8_t)ihex_byte(at);
        if (old != p->data[i]) {
            ihex_put_byte(h, at, p->data[i]);
            change = (uint8_t)(change + old - p->data[i]);
        }
    }
    if (change) {
        uint8_t *start = text + p->at;
        while (*start != ':') {
            start--;
        }
        uint8_t *sum = start + HEX_HEAD + 2 * ihex_byte(start + 1);
        ihex_put_byte(h, sum, (uint8_t)(ihex_byte(sum) + change));
    }
}

static enum diag_code ihex_write(const struct image *img, bool seal, struct bytes_out *out,
                                 struct diag *d)
{
    const struct ihex *h = img->container;
    size_t start = out->size;
    (void)seal;
    (void)d;
    bytes_put(out, img->file, img->file_size);
    for (size_t i = 0; i < h->pieces.n && !out->failed; i++) {
        ihex_update(h, &h->pieces.items[i], out->data + start);
    }
    return DIAG_OK;
}

static void ihex_put_record(const struct ihex *h, unsigned type, uint16_t offset,
                            const uint8_t *data, unsigned n, struct bytes_out *out)
{
    uint8_t bytes[5 + 255], text[1 + 2 * sizeof bytes], sum = 0;
    bytes[0] = (uint8_t)n;
    bytes[1] = (uint8_t)(offset >> 8);
    bytes[2] = (uint8_t)offset;
    bytes[3] = (uint8_t)type;
    memcpy(bytes + 4, data, n);
    for (unsigned i = 0; i < 4 + n; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    bytes[4 + n] = (uint8_t)-sum;
    text[0] = ':';
    for (unsigned i = 0; i < 5 + n; i++) {
        ihex_put_byte(h, text + 1 + 2 * i, bytes[i]);
    }
    bytes_put(out, text, 1 + 2 * (5 + (size_t)n));
    bytes_put(out, h->newline, strlen(h->newline));
}

static void ihex_put_base(const struct ihex *h, uint64_t base, struct bytes_out *out)
{
    uint32_t value = (uint32_t)(base >> (h->segmented ? 4 : 16));
    uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
    ihex_put_record(h, h->segmented ? HEX_SEGMENT : HEX_LINEAR, 0, bytes, 2, out);
}

// Data records for a run, none across a 64 KiB boundary; base is the one in force.
static void ihex_put_run(const struct ihex *h, const struct image_run *run, uint64_t base,
                         struct bytes_out *out)
{
    unsigned width = h->width && h->width < HEX_GROWN ? h->width : HEX_GROWN;
    for (uint64_t done = 0; done < run->size;) {
        uint64_t addr = run->addr + done, left = run->size - done;
        if ((addr & ~(uint64_t)0xffff) != base) {
            base = addr & ~(uint64_t)0xffff;
            ihex_put_base(h, base, out);
        }
        uint64_t n = width - addr % width, room = 0x10000 - (addr & 0xffff);
        n = n < left ? n : left;
        n = n < room ? n : room;
        ihex_put_record(h, h->data_type, (uint16_t)addr, run->bytes + done, (unsigned)n, out);
        done += n;
    }
}

// A section of a universal hex ends with records of filling that bring it to a whole block.
static void ihex_put_filling(const struct ihex *h, size_t start, struct bytes_out *out)
{
    uint8_t fill[HEX_GROWN];
    memset(fill, IMAGE_FILL, sizeof fill);
    size_t empty = HEX_HEAD + 2 + strlen(h->newline), full = empty + 2 * HEX_GROWN;
    size_t left = HEX_BLOCK - (out->size - start) % HEX_BLOCK, n = 1;
    while ((left < n * empty || (left - n * empty) % 2 || left > n * full) && !out->failed) {
        left += left < n * empty ? HEX_BLOCK : 0;
        n += left > n * full || (left - n * empty) % 2;
    }
    size_t bytes = (left - n * empty) / 2;
    for (; n && !out->failed; n--) {
        size_t take = bytes < HEX_GROWN ? bytes : HEX_GROWN;
        ihex_put_record(h, n == 1 ? HEX_BLOCK_END : HEX_PADDED, 0, fill, (unsigned)take, out);
        bytes -= take;
    }
}

static void ihex_put_section(const struct ihex *h, const struct image_run *run,
                             struct bytes_out *out)
{
    uint16_t id = h->boards[h->main].id;
    uint8_t start[4] = {(uint8_t)(id >> 8), (uint8_t)id, 0xc0, 0xde};
    uint64_t base = run->addr & ~(uint64_t)0xffff;
    size_t from = out->size;
    ihex_put_base(h, base, out);
    ihex_put_record(h, HEX_BLOCK_START, 0, start, sizeof start, out);
    // The address again: some readers forget the one before the block start.
    ihex_put_run(h, run, UINT64_MAX, out);
    ihex_put_filling(h, from, out);
}

static enum diag_code ihex_check_add(const struct image *img, uint64_t addr, uint64_t size,
                                     struct diag *d)
{
    const struct ihex *h = img->container;
    uint64_t last = h->segmented ? 0x100000 : UINT32_MAX;
    if (addr + size > last) {
        return diag_set(d, DIAG_NO, img->name, "0x%llx is past the reach of its address records",
                        (unsigned long long)(addr + size));
    }
    if (!h->insert) {
        return diag_set(d, DIAG_NO, img->name,
                        "has no end of a section where bytes could be added");
    }
    return DIAG_OK;
}

// Where new records begin: behind the line end of the last record before them.
static size_t ihex_insert(const struct image *img)
{
    const struct ihex *h = img->container;
    size_t at = h->insert, n = strlen(h->newline);
    return img->file_size - at >= n && !memcmp(img->file + at, h->newline, n) ? at + n : at;
}

static enum diag_code ihex_undo(const struct image *img, uint64_t addr, uint64_t size,
                                struct bytes_out *out, struct diag *d)
{
    bytes_put_u64(out, img->file_size);
    bytes_put_u64(out, ihex_insert(img));
    return ihex_check_add(img, addr, size, d);
}

static enum diag_code ihex_add(const struct image *img, const struct image_run *run,
                               struct bytes_out *out, struct diag *d)
{
    const struct ihex *h = img->container;
    struct bytes_out text;
    bytes_out_init(&text);
    enum diag_code err = ihex_check_add(img, run->addr, run->size, d);
    err = err ? err : ihex_write(img, false, &text, d);
    err = err ? err : bytes_out_check(&text, d);
    if (!err) {
        size_t at = ihex_insert(img);
        bytes_put(out, text.data, at);
        if (h->universal) {
            ihex_put_section(h, run, out);
        } else {
            ihex_put_run(h, run, h->base, out);
        }
        bytes_put(out, text.data + at, text.size - at);
    }
    bytes_out_free(&text);
    return err;
}

static enum diag_code ihex_remove(const struct image *img, const struct image_undo *undo,
                                  struct bytes_out *out, struct diag *d)
{
    struct bytes_in in;
    bytes_in_init(&in, undo->bytes, undo->n, img->name, d);
    uint64_t size = bytes_u64(&in, "undo record");
    uint64_t at = bytes_u64(&in, "undo record");
    if (!in.failed && (size >= img->file_size || at > size || bytes_left(&in))) {
        return bytes_fail(&in, "undo record", "does not belong to this image");
    }
    enum diag_code err = in.failed ? in.failed : ihex_write(img, false, out, d);
    if (!err && !out->failed) {
        uint64_t more = img->file_size - size;
        memmove(out->data + at, out->data + at + more, (size_t)(size - at));
        out->size = (size_t)size;
    }
    return err;
}

const struct image_ops image_ihex_ops = {
    .kind = IMAGE_IHEX,
    .name = "ihex",
    .extension = ".hex,.ihex,.ihx",
    .granule = 1,
    .probe = ihex_probe,
    .elsewhere = ihex_elsewhere,
    .read = ihex_read,
    .describe = ihex_describe,
    .write = ihex_write,
    .undo = ihex_undo,
    .add = ihex_add,
    .remove = ihex_remove,
};
