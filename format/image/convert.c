// One address space, another container.
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

#include "format/image/elf.h"
#include "format/image/esp.h"
#include "format/image/uf2.h"

enum {
    CONVERT_GAP_MAX = 1 << 20, // a raw image with larger gaps would be mostly filling
    CONVERT_HEX_WIDTH = 16,
    CONVERT_PAGE = 0x1000, // of an ELF's segments
};

struct convert {
    const struct image *img;
    const struct image_target *to;
    unsigned n;
    struct image_segment *runs; // joined segments with bytes, sorted
    struct bytes_out *out;
    struct diag *d;
};

static enum diag_code convert_refuse(const struct convert *c, const char *why)
{
    enum diag_code err = diag_set(c->d, DIAG_NO, c->img->name, "cannot become %s: %s",
                                  image_kind_name(c->to->kind), why);
    return err;
}

// Joins what is adjacent: containers differ in how they cut the same bytes.
static enum diag_code convert_join(struct convert *c)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < c->img->n_segments; i++) {
        total += c->img->segments[i].size;
    }
    c->runs = ARENA_ARRAY(c->img->arena, struct image_segment, c->img->n_segments + 1);
    uint8_t *data = arena_alloc(c->img->arena, (size_t)total);
    if (!c->runs || !data) {
        return diag_nomem(c->d);
    }
    for (unsigned i = 0; i < c->img->n_segments; i++) {
        const struct image_segment *s = &c->img->segments[i];
        struct image_segment *last = c->n ? &c->runs[c->n - 1] : NULL;
        if (!s->size) {
            continue;
        }
        memcpy(data, s->data, (size_t)s->size);
        if (last && last->addr + last->size == s->addr) {
            last->size += s->size;
            last->flags |= s->flags;
        } else {
            c->runs[c->n] = *s;
            c->runs[c->n++].data = data;
        }
        data += s->size;
    }
    return c->n ? DIAG_OK : convert_refuse(c, "it has no bytes");
}

static enum diag_code convert_bin(struct convert *c)
{
    for (unsigned i = 0; i < c->n; i++) {
        const struct image_segment *s = &c->runs[i];
        if (i) {
            uint64_t end = s[-1].addr + s[-1].size;
            if (s->addr - end > CONVERT_GAP_MAX) {
                return diag_set(
                    c->d, DIAG_NO, c->img->name,
                    "cannot become bin: 0x%llx bytes between 0x%llx and 0x%llx would be "
                    "filling, at most 0x%x are allowed",
                    (unsigned long long)(s->addr - end), (unsigned long long)end,
                    (unsigned long long)s->addr, CONVERT_GAP_MAX);
            }
            bytes_fill(c->out, IMAGE_FILL, (size_t)(s->addr - end));
        }
        bytes_put(c->out, s->data, (size_t)s->size);
    }
    return DIAG_OK;
}

// Visits every 256-byte page that holds bytes; with out NULL only counts them.
static uint32_t convert_uf2_pages(const struct convert *c, uint32_t total, struct bytes_out *out)
{
    uint32_t n = 0;
    for (unsigned i = 0; i < c->n;) {
        uint64_t page = c->runs[i].addr & ~(uint64_t)(UF2_PAYLOAD - 1);
        uint64_t end = c->runs[i].addr + c->runs[i].size;
        for (; page < end; page += UF2_PAYLOAD) {
            uint8_t data[UF2_PAYLOAD] = {0};
            // Further runs may begin within the last page of this one.
            for (unsigned k = i; k < c->n && c->runs[k].addr < page + UF2_PAYLOAD; k++) {
                const struct image_segment *s = &c->runs[k];
                for (unsigned at = 0; at < UF2_PAYLOAD && out; at++) {
                    uint64_t from = page + at - s->addr;
                    data[at] = from < s->size ? s->data[from] : data[at];
                }
                if (page + UF2_PAYLOAD >= end && s->addr + s->size > end) {
                    end = s->addr + s->size;
                    i = k;
                }
            }
            if (out) {
                uf2_put_block(c->to->has_family, c->to->family, (uint32_t)page, data, n, total,
                              out);
            }
            n++;
        }
        while (i < c->n && c->runs[i].addr + c->runs[i].size <= page) {
            i++;
        }
    }
    return n;
}

static enum diag_code convert_uf2(struct convert *c)
{
    convert_uf2_pages(c, convert_uf2_pages(c, 0, NULL), c->out);
    return DIAG_OK;
}

static enum diag_code convert_dfuse(struct convert *c)
{
    static const uint8_t suffix[12] = {
        0xff, 0xff, 0x11, 0xdf, 0x83, 0x04,
        0x1a, 0x01, 'U',  'F',  'D',  16}; // device, product, vendor, DFU 1.1a
    struct bytes_out *out = c->out;
    size_t start = out->size, head = start + 11;
    uint8_t target[274] = "Target"; // alternate setting 0, without a name
    bytes_put(out, "DfuSe\1\0\0\0\0\1", 11);
    bytes_put(out, target, sizeof target);
    for (unsigned i = 0; i < c->n; i++) {
        const struct image_segment *s = &c->runs[i];
        uint64_t pad = -s->size & 7, next = i + 1 < c->n ? s[1].addr : UINT64_MAX;
        pad = s->addr + s->size + pad > next ? next - s->addr - s->size : pad;
        bytes_put_u32(out, (uint32_t)s->addr);
        bytes_put_u32(out, (uint32_t)(s->size + pad));
        bytes_put(out, s->data, (size_t)s->size);
        bytes_fill(out, 0, (size_t)pad);
    }
    if (!out->failed) {
        st32(out->data + start + 6, (uint32_t)(out->size - start));
        st32(out->data + head + 266, (uint32_t)(out->size - head - sizeof target));
        st32(out->data + head + 270, c->n);
    }
    bytes_put(out, suffix, sizeof suffix);
    if (!out->failed) {
        bytes_put_u32(out, ~(uint32_t)crc32(0, out->data + start, (uInt)(out->size - start)));
    }
    return DIAG_OK;
}

static void convert_hex_record(unsigned type, uint16_t offset, const uint8_t *data, unsigned n,
                               struct bytes_out *out)
{
    unsigned sum = n + (offset >> 8) + (offset & 0xff) + type;
    bytes_printf(out, ":%02X%04X%02X", n, offset, type);
    for (unsigned i = 0; i < n; i++) {
        bytes_printf(out, "%02X", data[i]);
        sum += data[i];
    }
    bytes_printf(out, "%02X\r\n", -sum & 0xff);
}

static void convert_hex_run(const struct image_segment *s, uint64_t *base, struct bytes_out *out)
{
    for (uint64_t at = 0; at < s->size;) {
        uint64_t addr = s->addr + at, n = CONVERT_HEX_WIDTH - addr % CONVERT_HEX_WIDTH;
        if (addr >> 16 != *base) {
            uint8_t high[2] = {(uint8_t)(addr >> 24), (uint8_t)(addr >> 16)};
            *base = addr >> 16;
            convert_hex_record(4, 0, high, 2, out);
        }
        n = n < s->size - at ? n : s->size - at;
        convert_hex_record(0, (uint16_t)addr, s->data + at, (unsigned)n, out);
        at += n;
    }
}

static enum diag_code convert_hex(struct convert *c)
{
    uint64_t base = 0; // in force at the start of a file
    for (unsigned i = 0; i < c->n; i++) {
        convert_hex_run(&c->runs[i], &base, c->out);
    }
    uint64_t entry = c->img->entry;
    if (entry && entry <= UINT32_MAX) {
        uint8_t start[4] = {(uint8_t)(entry >> 24), (uint8_t)(entry >> 16), (uint8_t)(entry >> 8),
                            (uint8_t)entry};
        convert_hex_record(5, 0, start, 4, c->out);
    }
    convert_hex_record(1, 0, NULL, 0, c->out);
    return DIAG_OK;
}

static uint16_t convert_elf_machine(enum image_machine machine)
{
    switch (machine) {
    case IMAGE_ISA_THUMB:
    case IMAGE_ISA_ARM:
        return EM_ARM;
    case IMAGE_ISA_RV32:
    case IMAGE_ISA_RV64:
        return EM_RISCV;
    case IMAGE_ISA_XTENSA:
        return EM_XTENSA;
    case IMAGE_ISA_X86:
        return EM_386;
    case IMAGE_ISA_X64:
        return EM_X86_64;
    case IMAGE_ISA_AARCH64:
        return EM_AARCH64;
    default:
        return 0;
    }
}

static void convert_elf_header(const struct convert *c, const struct elf *e)
{
    struct bytes_out *out = c->out;
    uint64_t entry = c->img->entry;
    const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', e->is64 ? 2 : 1, 1, 1};
    bytes_put(out, ident, sizeof ident);
    bytes_put_u16(out, ET_EXEC);
    bytes_put_u16(out, e->machine);
    bytes_put_u32(out, 1);
    if (e->is64) {
        bytes_put_u64(out, entry);
        bytes_put_u64(out, ELF_HEADER_64);
        bytes_put_u64(out, 0);
    } else {
        bytes_put_u32(out, (uint32_t)entry);
        bytes_put_u32(out, ELF_HEADER_32);
        bytes_put_u32(out, 0);
    }
    bytes_put_u32(out, e->machine == EM_ARM ? 0x05000000 : 0); // EABI version 5
    bytes_put_u16(out, (uint16_t)elf_header_size(e));
    bytes_put_u16(out, (uint16_t)elf_phdr_size(e));
    bytes_put_u16(out, (uint16_t)c->n);
    bytes_put_u16(out, e->is64 ? 64 : 40); // section headers: none
    bytes_put_u16(out, 0);
    bytes_put_u16(out, 0);
}

static enum diag_code convert_elf(struct convert *c)
{
    struct elf e = {.is64 = c->img->address_bits == 64};
    e.machine = convert_elf_machine(c->img->machine);
    if (!e.machine || c->n > ELF_SEGMENTS_MAX) {
        return convert_refuse(c, e.machine
                                     ? "it has too many segments"
                                     : "the container does not say for which processor it is");
    }
    size_t start = c->out->size;
    convert_elf_header(c, &e);
    size_t table = c->out->size;
    bytes_fill(c->out, 0, (size_t)c->n * elf_phdr_size(&e));
    for (unsigned i = 0; i < c->n && !c->out->failed; i++) {
        const struct image_segment *s = &c->runs[i];
        size_t at = c->out->size - start;
        bytes_fill(c->out, 0, (size_t)((s->addr - at) & (CONVERT_PAGE - 1)));
        struct elf_phdr h = {PT_LOAD, s->flags, c->out->size - start, s->addr, s->addr,
                             s->size, s->size,  CONVERT_PAGE};
        bytes_put(c->out, s->data, (size_t)s->size);
        if (!c->out->failed) {
            elf_store_phdr(&e, c->out->data + table + i * elf_phdr_size(&e), &h);
        }
    }
    return DIAG_OK;
}

static enum diag_code convert_esp(struct convert *c)
{
    const struct uf2_app *u = uf2_app_of(c->img);
    if ((c->img->kind != IMAGE_ESP_FLASH && !u) || c->to->kind != IMAGE_ESP_APP) {
        return convert_refuse(c, "only an app image within another file can become one of its own");
    }
    if (u) {
        bytes_put(c->out, u->flat, (size_t)u->app.end);
        if (!c->out->failed) {
            esp_seal(&u->app, c->out->data + c->out->size - u->app.end);
        }
        return DIAG_OK;
    }
    struct bytes_out whole;
    bytes_out_init(&whole);
    enum diag_code err = image_write(c->img, &whole, c->d);
    if (!err) {
        uint64_t at, end;
        esp_app_range(c->img, &at, &end);
        bytes_put(c->out, whole.data + at, (size_t)(end - at));
    }
    bytes_out_free(&whole);
    return err;
}

// What all new containers demand of an address space.
static enum diag_code convert_check(const struct convert *c)
{
    if (!c->img->base_known) {
        return convert_refuse(c, "its base address is not known");
    }
    if (c->img->pic) {
        return convert_refuse(c, "it is position-independent, its loader relocates it");
    }
    const struct image_segment *last = &c->runs[c->n - 1];
    if (c->to->kind != IMAGE_BIN && c->to->kind != IMAGE_ELF &&
        last->addr + last->size > (uint64_t)UINT32_MAX + 1) {
        return convert_refuse(c, "it has addresses past 4 GiB");
    }
    return DIAG_OK;
}

enum diag_code image_convert(const struct image *img, const struct image_target *to,
                             struct bytes_out *out, struct diag *d)
{
    struct convert c = {.img = img, .to = to, .out = out, .d = d};
    if (to->kind == img->kind) {
        return image_write(img, out, d);
    }
    enum diag_code err = convert_join(&c);
    err = err ? err : convert_check(&c);
    if (err) {
        return err;
    }
    switch (to->kind) {
    case IMAGE_BIN:
        err = convert_bin(&c);
        break;
    case IMAGE_UF2:
        err = convert_uf2(&c);
        break;
    case IMAGE_DFUSE:
        err = convert_dfuse(&c);
        break;
    case IMAGE_IHEX:
        err = convert_hex(&c);
        break;
    case IMAGE_ELF:
        err = convert_elf(&c);
        break;
    case IMAGE_ESP_APP:
    case IMAGE_ESP_FLASH:
        err = convert_esp(&c);
        break;
    default:
        err = convert_refuse(&c, "no such container");
        break;
    }
    return err ? err : bytes_out_check(out, d);
}
