#include "tests/unit/image_make.h"

#include <nettle/md5.h>
#include <nettle/version.h>
#include <stdlib.h>
#include <zlib.h>

#include "format/sha256.h"

// Bytes that look like nothing in particular.
static void put_noise(struct bytes_out *out, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1103515245 + 12345;
        bytes_put_u8(out, (uint8_t)(seed >> 16));
    }
}

static void make_esp_s3(struct bytes_out *out);

// ELF

enum { NOTE = 1, SECTIONS = 2, LOADED_HEADERS = 4, DYNAMIC = 8, PADDED = 16, NOTE_2 = 32 };

struct elf_maker {
    bool is64;
    uint16_t machine, type;
    unsigned flags;
};

static void put_word(const struct elf_maker *m, struct bytes_out *out, uint64_t v)
{
    if (m->is64) {
        bytes_put_u64(out, v);
    } else {
        bytes_put_u32(out, (uint32_t)v);
    }
}

static void put_phdr(const struct elf_maker *m, struct bytes_out *out, uint32_t type,
                     uint32_t flags, uint64_t offset, uint64_t vaddr, uint64_t paddr,
                     uint64_t filesz, uint64_t memsz, uint64_t align)
{
    bytes_put_u32(out, type);
    if (m->is64) {
        bytes_put_u32(out, flags);
    }
    put_word(m, out, offset);
    put_word(m, out, vaddr);
    put_word(m, out, paddr);
    put_word(m, out, filesz);
    put_word(m, out, memsz);
    if (!m->is64) {
        bytes_put_u32(out, flags);
    }
    put_word(m, out, align);
}

static void put_shdr(const struct elf_maker *m, struct bytes_out *out, uint32_t type,
                     uint64_t flags, uint64_t offset, uint64_t size, uint32_t link)
{
    bytes_put_u32(out, 0);
    bytes_put_u32(out, type);
    put_word(m, out, flags);
    put_word(m, out, 0);
    put_word(m, out, offset);
    put_word(m, out, size);
    bytes_put_u32(out, link);
    bytes_put_u32(out, 0);
    put_word(m, out, 1);
    put_word(m, out, type == 2 ? (m->is64 ? 24 : 16) : type == 6 ? (m->is64 ? 16 : 8) : 0);
}

static void put_symbol(const struct elf_maker *m, struct bytes_out *out, uint32_t name,
                       uint64_t value)
{
    bytes_put_u32(out, name);
    if (m->is64) {
        bytes_put_u8(out, 2); // FUNC
        bytes_put_u8(out, 0);
        bytes_put_u16(out, 1);
        bytes_put_u64(out, value);
        bytes_put_u64(out, 4);
    } else {
        bytes_put_u32(out, (uint32_t)value);
        bytes_put_u32(out, 4);
        bytes_put_u8(out, 2);
        bytes_put_u8(out, 0);
        bytes_put_u16(out, 1);
    }
}

// Dynamic section, one RELA (64 bits; else 32 bits have REL alone), one REL and a RELR table; lies
// at the start of the data segment, which is loaded at address data. One entry is counted as
// RELATIVE.
static void put_dynamic(const struct elf_maker *m, struct bytes_out *out, uint64_t data)
{
    unsigned word = m->is64 ? 8 : 4;
    uint64_t tables = data + 8 * 2 * word, words = tables + 8 * word;
    const uint64_t tags[8][2] = {{m->is64 ? 7 : 21, tables},
                                 {m->is64 ? 8 : 21, 3 * word},
                                 {17, tables + 3 * word},
                                 {18, 2 * word},
                                 {36, tables + 5 * word},
                                 {35, 3 * word},
                                 {m->is64 ? 0x6ffffff9 : 0x6ffffffa, 1},
                                 {0, 0}};
    for (unsigned i = 0; i < 8; i++) {
        put_word(m, out, tags[i][0]);
        put_word(m, out, tags[i][1]);
    }
    uint32_t relative = m->machine == 40    ? 23
                        : m->machine == 183 ? 1027
                        : m->machine == 243 ? 3
                                            : 8;
    put_word(m, out, words); // RELA
    put_word(m, out, relative);
    put_word(m, out, 0x1234);
    put_word(m, out, words + word); // REL
    put_word(m, out, relative);
    put_word(m, out, words + 4 * word); // RELR: an address; then, as mold writes it, one before it
    put_word(m, out, words + 2 * word); // and a bitmap for the word behind that
    put_word(m, out, 1 | 2);
    for (unsigned i = 0; i < 5; i++) {
        put_word(m, out, 0x100 * i);
    }
}

static void make_elf(const struct elf_maker *m, struct bytes_out *out)
{
    unsigned ehsize = m->is64 ? 64 : 52, row = m->is64 ? 56 : 32;
    unsigned n = 2 + !!(m->flags & NOTE) + !!(m->flags & NOTE_2) + !!(m->flags & DYNAMIC);
    uint64_t vaddr = m->type == 3 ? 0 : 0x8000000;
    uint64_t text = ehsize + n * row + (m->flags & PADDED ? 128 : 0), size = 200, data_size = 240;
    uint64_t data = text + size, bss = 64, symbols = data + data_size;
    uint64_t names = symbols + 2 * (m->is64 ? 24 : 16), sections = names + 16;
    uint64_t data_vaddr = m->type == 3 ? data + 0x1000 : 0x20000000;
    uint64_t data_paddr = m->type == 3 ? data_vaddr : vaddr + text + size;
    const uint8_t ident[16] = {0x7f, 'E', 'L', 'F', m->is64 ? 2 : 1, 1, 1};
    bytes_put(out, ident, sizeof ident);
    bytes_put_u16(out, m->type);
    bytes_put_u16(out, m->machine);
    bytes_put_u32(out, 1);
    put_word(m, out, vaddr + text + 1);
    put_word(m, out, ehsize);
    put_word(m, out, m->flags & SECTIONS ? sections : 0);
    bytes_put_u32(out, 0);
    bytes_put_u16(out, (uint16_t)ehsize);
    bytes_put_u16(out, (uint16_t)row);
    bytes_put_u16(out, (uint16_t)n);
    bytes_put_u16(out, m->is64 ? 64 : 40);
    bytes_put_u16(out, m->flags & SECTIONS ? 5 + !!(m->flags & DYNAMIC) : 0);
    bytes_put_u16(out, 0);
    uint64_t from = m->flags & LOADED_HEADERS ? 0 : text;
    put_phdr(m, out, 1, 5, from, vaddr + from, vaddr + from, data - from, data - from, 0x1000);
    put_phdr(m, out, 1, 6, data, data_vaddr, data_paddr, data_size, data_size + bss, 0x1000);
    if (m->flags & DYNAMIC) {
        put_phdr(m, out, 2, 6, data, data_vaddr, data_vaddr, 16 * (m->is64 ? 8 : 4),
                 16 * (m->is64 ? 8 : 4), 8);
    }
    if (m->flags & NOTE) {
        put_phdr(m, out, 4, 4, text, vaddr + text, vaddr + text, 32, 32, 4);
    }
    if (m->flags & NOTE_2) {
        put_phdr(m, out, 4, 4, text + 32, vaddr + text + 32, vaddr + text + 32, 32, 32, 4);
    }
    bytes_fill(out, 0, text - out->size);
    put_noise(out, size, 1);
    if (m->flags & DYNAMIC) {
        put_dynamic(m, out, data_vaddr);
    }
    put_noise(out, symbols - out->size, 2);
    if (!(m->flags & SECTIONS)) {
        return;
    }
    put_symbol(m, out, 6, vaddr + text);
    put_symbol(m, out, 1, vaddr + text + 4);
    bytes_put(out, "\0main\0alpha\0\0\0\0", 16);
    put_shdr(m, out, 0, 0, 0, 0, 0);
    put_shdr(m, out, 1, 6, text, size, 0);
    put_shdr(m, out, 1, 3, data, data_size, 0);
    put_shdr(m, out, 2, 0, symbols, names - symbols, 4);
    put_shdr(m, out, 3, 0, names, 16, 0);
    if (m->flags & DYNAMIC) {
        put_shdr(m, out, 6, 3, data, 16 * (m->is64 ? 8 : 4), 4);
    }
}

#define ELF_SAMPLE(name, ...)                                                                      \
    static void name(struct bytes_out *out)                                                        \
    {                                                                                              \
        make_elf(&(const struct elf_maker){__VA_ARGS__}, out);                                     \
    }

ELF_SAMPLE(make_elf_arm, false, 40, 2, SECTIONS)
ELF_SAMPLE(make_elf_arm_note, false, 40, 2, SECTIONS | NOTE)
ELF_SAMPLE(make_elf_arm_room, false, 40, 2, SECTIONS | LOADED_HEADERS | PADDED)
ELF_SAMPLE(make_elf_arm_loaded, false, 40, 2, SECTIONS | LOADED_HEADERS)
ELF_SAMPLE(make_elf_rv64_bare, true, 243, 2, 0)
ELF_SAMPLE(make_elf_x64_pie, true, 62, 3, SECTIONS | NOTE | DYNAMIC | LOADED_HEADERS)
ELF_SAMPLE(make_elf_x64_notes, true, 62, 3, NOTE | NOTE_2 | DYNAMIC | LOADED_HEADERS)
ELF_SAMPLE(make_elf_arm_pie, false, 40, 3, SECTIONS | NOTE | DYNAMIC | LOADED_HEADERS)
ELF_SAMPLE(make_elf_x86_pie, false, 3, 3, NOTE | DYNAMIC | LOADED_HEADERS)
ELF_SAMPLE(make_elf_a64_pie, true, 183, 3, SECTIONS | NOTE | DYNAMIC | LOADED_HEADERS)
ELF_SAMPLE(make_elf_rv64_pie, true, 243, 3, NOTE | DYNAMIC | LOADED_HEADERS)

// Raw

static void make_bin(struct bytes_out *out)
{
    put_noise(out, 1000, 3);
}

static void make_bin_elf(struct bytes_out *out)
{
    struct bytes_out elf;
    bytes_out_init(&elf);
    make_elf_arm_note(&elf);
    put_noise(out, 256, 4);
    bytes_put(out, elf.data, elf.size);
    bytes_out_free(&elf);
}

// UF2

static void put_uf2(struct bytes_out *out, uint32_t flags, uint32_t addr, uint32_t number,
                    uint32_t count, uint32_t family)
{
    size_t start = out->size;
    bytes_put_u32(out, 0x0a324655);
    bytes_put_u32(out, 0x9e5d5157);
    bytes_put_u32(out, flags);
    bytes_put_u32(out, addr);
    bytes_put_u32(out, 256);
    bytes_put_u32(out, number);
    bytes_put_u32(out, count);
    bytes_put_u32(out, family);
    put_noise(out, 256, addr);
    bytes_fill(out, 0, start + 508 - out->size);
    bytes_put_u32(out, 0x0ab16f30);
}

static void make_uf2(struct bytes_out *out)
{
    for (unsigned i = 0; i < 3; i++) {
        put_uf2(out, 0x2000, 0x10000000 + 256 * i, i, 3, 0xe48bff56);
    }
}

// Two families with a numbering each, a block that does not go to flash, blocks out of order.
static void make_uf2_families(struct bytes_out *out)
{
    put_uf2(out, 0x2000, 0x10ffff00, 0, 2, 0xe48bff57);
    put_uf2(out, 0x2001, 0x1000, 0, 1, 0xe48bff59);
    put_uf2(out, 0x2000, 0x10000100, 1, 3, 0xe48bff59);
    put_uf2(out, 0x2000, 0x10000000, 0, 3, 0xe48bff59);
    put_uf2(out, 0x2000, 0x10002000, 2, 3, 0xe48bff59);
    put_uf2(out, 0x2000, 0x10000000, 1, 2, 0xe48bff57);
}

static void make_uf2_shared(struct bytes_out *out)
{
    for (unsigned i = 0; i < 4; i++) {
        put_uf2(out, i < 3 ? 0 : 0x2000, i < 3 ? 0x2000 + 256 * i : 0x8000, i, 4,
                i < 3 ? 0 : 0x55114460);
    }
}

// An app image cut into blocks.
static void make_uf2_esp(struct bytes_out *out)
{
    struct bytes_out app;
    bytes_out_init(&app);
    make_esp_s3(&app);
    bytes_put_align(&app, 256, 0);
    uint32_t n = (uint32_t)app.size / 256;
    for (uint32_t i = 0; i < n; i++) {
        size_t at = out->size;
        put_uf2(out, 0x2000, 256 * i, i, n, 0xc47e5767);
        memcpy(out->data + at + 32, app.data + 256 * i, 256);
    }
    bytes_out_free(&app);
}

// DfuSe

static void put_dfuse_target(struct bytes_out *out, unsigned alt, const uint32_t (*elements)[2],
                             unsigned n)
{
    uint32_t size = 0;
    for (unsigned i = 0; i < n; i++) {
        size += 8 + elements[i][1];
    }
    bytes_put(out, "Target", 6);
    bytes_put_u8(out, (uint8_t)alt);
    bytes_put_u32(out, 1);
    bytes_put(out, "ST...", 5);
    bytes_fill(out, 0, 250);
    bytes_put_u32(out, size);
    bytes_put_u32(out, n);
    for (unsigned i = 0; i < n; i++) {
        bytes_put_u32(out, elements[i][0]);
        bytes_put_u32(out, elements[i][1]);
        put_noise(out, elements[i][1], elements[i][0]);
    }
}

static void put_dfuse_end(struct bytes_out *out)
{
    st32(out->data + 6, (uint32_t)out->size);
    bytes_put(out, "\xff\xff\x11\xdf\x83\x04\x1a\x01UFD\x10", 12);
    bytes_put_u32(out, ~(uint32_t)crc32(0, out->data, (uInt)out->size));
}

static void make_dfuse(struct bytes_out *out)
{
    static const uint32_t elements[][2] = {{0x8000000, 64}, {0x8020000, 200}};
    bytes_put(out, "DfuSe\1\0\0\0\0\1", 11);
    put_dfuse_target(out, 0, elements, 2);
    put_dfuse_end(out);
}

static void make_dfuse_targets(struct bytes_out *out)
{
    static const uint32_t first[][2] = {{0x8000000, 100}}, second[][2] = {{0x90000000, 72}};
    bytes_put(out, "DfuSe\1\0\0\0\0\2", 11);
    put_dfuse_target(out, 0, first, 1);
    put_dfuse_target(out, 1, second, 1);
    put_dfuse_end(out);
}

// Intel HEX

static void put_hex(struct bytes_out *out, unsigned type, unsigned offset, const uint8_t *data,
                    unsigned n, const char *end, bool lower)
{
    unsigned sum = n + (offset >> 8 & 0xff) + (offset & 0xff) + type;
    bytes_printf(out, lower ? ":%02x%04x%02x" : ":%02X%04X%02X", n, offset & 0xffff, type);
    for (unsigned i = 0; i < n; i++) {
        bytes_printf(out, lower ? "%02x" : "%02X", data[i]);
        sum += data[i];
    }
    bytes_printf(out, lower ? "%02x%s" : "%02X%s", -sum & 0xff, end);
}

static void put_hex_noise(struct bytes_out *out, unsigned type, unsigned offset, unsigned n,
                          unsigned width, const char *end, bool lower)
{
    struct bytes_out noise;
    bytes_out_init(&noise);
    put_noise(&noise, n, offset + 1);
    for (unsigned i = 0; i < n; i += width) {
        put_hex(out, type, offset + i, noise.data + i, n - i < width ? n - i : width, end, lower);
    }
    bytes_out_free(&noise);
}

static void make_hex(struct bytes_out *out)
{
    put_hex(out, 4, 0, (const uint8_t[]){0x08, 0x00}, 2, "\r\n", false);
    put_hex_noise(out, 0, 0xffe0, 32, 16, "\r\n", false);
    put_hex(out, 4, 0, (const uint8_t[]){0x08, 0x01}, 2, "\r\n", false);
    put_hex_noise(out, 0, 0, 100, 16, "\r\n", false);
    put_hex(out, 5, 0, (const uint8_t[]){8, 0, 0, 1}, 4, "\r\n", false);
    put_hex(out, 1, 0, NULL, 0, "\r\n", false);
}

// Type 2 addresses, lower case, long records, an offset that wraps, no line end at the end.
static void make_hex_segments(struct bytes_out *out)
{
    put_hex(out, 2, 0, (const uint8_t[]){0x10, 0x00}, 2, "\n", true);
    put_hex_noise(out, 0, 0xfff0, 32, 32, "\n", true);
    put_hex_noise(out, 0, 0x100, 90, 32, "\n", true);
    put_hex(out, 3, 0, (const uint8_t[]){0, 0, 1, 0}, 4, "\n", true);
    put_hex(out, 1, 0, NULL, 0, "", true);
}

static void put_universal(struct bytes_out *out, const uint8_t id[2], unsigned type, unsigned n)
{
    size_t start = out->size;
    put_hex(out, 4, 0, (const uint8_t[]){0, 0}, 2, "\n", false);
    put_hex(out, 0x0a, 0, (const uint8_t[]){id[0], id[1], 0xc0, 0xde}, 4, "\n", false);
    put_hex_noise(out, type, 0x400, n, 16, "\n", false);
    uint8_t fill[16];
    memset(fill, 0xff, sizeof fill);
    while (512 - (out->size - start) % 512 > 44 + 12) {
        put_hex(out, 0x0c, 0, fill, 16, "\n", false);
    }
    put_hex(out, 0x0b, 0, fill, (unsigned)(512 - (out->size - start) % 512 - 12) / 2, "\n", false);
}

static void make_hex_universal(struct bytes_out *out)
{
    put_universal(out, (const uint8_t[]){0x99, 0x00}, 0, 112);
    put_universal(out, (const uint8_t[]){0x99, 0x03}, 0x0d, 256);
    put_hex(out, 1, 0, NULL, 0, "\n", false);
}

// Espressif

static void put_esp_end(struct bytes_out *out, size_t start, uint8_t sum, bool hash)
{
    uint8_t digest[32];
    size_t used = out->size - start;
    bytes_fill(out, 0, (used | 15) - used);
    bytes_put_u8(out, sum);
    if (hash) {
        sha256(out->data + start, out->size - start, digest);
        bytes_put(out, digest, sizeof digest);
    }
}

static void put_esp_segment(struct bytes_out *out, uint32_t addr, uint32_t size, uint8_t *sum)
{
    bytes_put_u32(out, addr);
    bytes_put_u32(out, size);
    size_t at = out->size;
    put_noise(out, size, addr);
    for (; at < out->size; at++) {
        *sum ^= out->data[at];
    }
}

// An app whose code is mapped behind its data, both congruent to their file offset within a page.
static void put_esp(struct bytes_out *out, unsigned chip, uint32_t drom, uint32_t iram,
                    uint32_t irom)
{
    size_t start = out->size;
    uint8_t header[24] = {0xe9, irom ? 3 : 2, 2, 0x20, 0x10, 0x00, 0x08, 0x40, 0xee}, sum = 0xef;
    header[12] = (uint8_t)chip;
    header[23] = 1;
    bytes_put(out, header, sizeof header);
    put_esp_segment(out, drom + 32, 400, &sum);
    put_esp_segment(out, iram, 100, &sum);
    if (irom) {
        put_esp_segment(out, irom + 32 + 400 + 8 + 100 + 8, 300, &sum);
    }
    put_esp_end(out, start, sum, true);
}

static void make_esp32(struct bytes_out *out)
{
    put_esp(out, 0, 0x3f400000, 0x40080000, 0x400d0000);
}

static void make_esp_s3(struct bytes_out *out)
{
    put_esp(out, 9, 0x3c100000, 0x40374000, 0x42000000);
}

// Code and data share the entries of the MMU; here the code's come behind the data's.
static void make_esp_s3_above(struct bytes_out *out)
{
    put_esp(out, 9, 0x3c000000, 0x40374000, 0x42120000);
}

static void make_esp_c6(struct bytes_out *out)
{
    put_esp(out, 13, 0x42100000, 0x40800000, 0x42000000);
}

static void make_esp_c3_data_only(struct bytes_out *out)
{
    put_esp(out, 5, 0x3c000000, 0x40380000, 0);
    bytes_fill(out, 0xff, 40);
}

static void put_partition(struct bytes_out *out, uint8_t type, uint8_t subtype, uint32_t offset,
                          uint32_t size, const char *label)
{
    char name[16] = "";
    memcpy(name, label, strlen(label));
    bytes_put_u16(out, 0x50aa);
    bytes_put_u8(out, type);
    bytes_put_u8(out, subtype);
    bytes_put_u32(out, offset);
    bytes_put_u32(out, size);
    bytes_put(out, name, 16);
    bytes_put_u32(out, 0);
}

static void put_esp_flash(struct bytes_out *out, uint32_t start, bool ota)
{
    put_esp(out, 0, 0x3f400000, 0x40080000, 0x400d0000);
    bytes_fill(out, 0xff, 0x8000 - start - out->size);
    put_partition(out, 1, 2, 0x9000, 0x4000, "nvs");
    put_partition(out, 1, 0, 0xd000, 0x2000, "otadata");
    if (ota) {
        put_partition(out, 0, 0x10, 0x10000, 0x30000, "ota_0");
        put_partition(out, 0, 0x11, 0x40000, 0x30000, "ota_1");
    } else {
        put_partition(out, 0, 0, 0x10000, 0x30000, "factory");
    }
    bytes_fill(out, 0xff, 0xd000 - start - out->size);
    uint8_t sequence[4] = {2}; // the second slot
    if (ota) {
        bytes_put(out, sequence, 4);
        bytes_fill(out, 0xff, 24);
        bytes_put_u32(out, (uint32_t)crc32(UINT32_MAX, sequence, 4));
    }
    bytes_fill(out, 0xff, 0x10000 - start - out->size);
    put_esp(out, 0, 0x3f400000, 0x40080000, 0x400d0000);
    if (ota) {
        bytes_fill(out, 0xff, 0x40000 - start - out->size);
        put_esp(out, 0, 0x3f400000, 0x40088000, 0x400e0000);
    }
}

static void make_esp_flash(struct bytes_out *out)
{
    put_esp_flash(out, 0, false);
}

// Begins at flash offset 0x1000 and goes on behind the app.
static void make_esp_flash_1000(struct bytes_out *out)
{
    put_esp_flash(out, 0x1000, false);
    bytes_fill(out, 0xff, 0x30000);
    put_noise(out, 64, 9);
}

static void make_esp_flash_ota(struct bytes_out *out)
{
    put_esp_flash(out, 0, true);
}

static void put_esp8266_boot(struct bytes_out *out)
{
    uint8_t header[8] = {0xe9, 2, 0, 0x40, 0x00, 0x00, 0x10, 0x40}, sum = 0xef;
    bytes_put(out, header, sizeof header);
    put_esp_segment(out, 0x40100000, 64, &sum);
    put_esp_segment(out, 0x3ffe8000, 32, &sum);
    put_esp_end(out, 0, sum, false);
}

static void make_esp8266(struct bytes_out *out)
{
    put_esp8266_boot(out);
    bytes_fill(out, 0xff, 0x1000 - out->size);
    put_noise(out, 500, 8);
}

// As MicroPython's own build makes it: the file's length before the mapped part, a digest behind
// it.
static void make_esp8266_md5(struct bytes_out *out)
{
    enum { MAPPED = 0x1000, SIZE = 500 };
    struct md5_ctx md5;
    uint8_t digest[MD5_DIGEST_SIZE];
    put_esp8266_boot(out);
    bytes_fill(out, 0xff, MAPPED - 4 - out->size);
    bytes_put_u32(out, MAPPED + SIZE);
    put_noise(out, SIZE, 9);
    md5_init(&md5);
    md5_update(&md5, out->size - 4, out->data + 4);
#if NETTLE_VERSION_MAJOR < 4
    md5_digest(&md5, sizeof digest, digest);
#else
    md5_digest(&md5, digest);
#endif
    bytes_put(out, digest, sizeof digest);
}

const struct image_sample image_samples[] = {
    {"elf-arm", IMAGE_ELF, make_elf_arm, 0x8001000, 0},
    {"elf-arm-note", IMAGE_ELF, make_elf_arm_note, 0x8001000, 0},
    {"elf-arm-room", IMAGE_ELF, make_elf_arm_room, 0x8001000, 0},
    {"elf-arm-loaded-headers", IMAGE_ELF, make_elf_arm_loaded, 0x8001000, 0},
    {"elf-rv64-no-sections", IMAGE_ELF, make_elf_rv64_bare, 0x8001000, 0},
    {"elf-x64-pie", IMAGE_ELF, make_elf_x64_pie, 0x10000, 0},
    {"elf-x64-twin", IMAGE_ELF, make_elf_x64_notes, 0x10000, 0},
    {"elf-arm-pie", IMAGE_ELF, make_elf_arm_pie, 0x10000, 0},
    {"elf-x86-pie", IMAGE_ELF, make_elf_x86_pie, 0x10000, 0},
    {"elf-aarch64-pie", IMAGE_ELF, make_elf_a64_pie, 0x10000, 0},
    {"elf-rv64-pie", IMAGE_ELF, make_elf_rv64_pie, 0x10000, 0},
    {"bin", IMAGE_BIN, make_bin, 0x8000400, 0x8000000},
    {"bin-elf", IMAGE_BIN, make_bin_elf, 0x8001000, 0},
    {"uf2", IMAGE_UF2, make_uf2, 0x10000300, 0},
    {"uf2-families", IMAGE_UF2, make_uf2_families, 0x10004000, 0},
    {"uf2-shared", IMAGE_UF2, make_uf2_shared, 0x2300, 0},
    {"uf2-esp", IMAGE_UF2, make_uf2_esp, 0x3c1001c0, 0},
    {"dfuse", IMAGE_DFUSE, make_dfuse, 0x8020100, 0},
    {"dfuse-targets", IMAGE_DFUSE, make_dfuse_targets, 0x8100000, 0},
    {"ihex", IMAGE_IHEX, make_hex, 0x8010100, 0},
    {"ihex-segments", IMAGE_IHEX, make_hex_segments, 0x40000, 0},
    {"ihex-universal", IMAGE_IHEX, make_hex_universal, 0x18000, 0},
    {"esp32", IMAGE_ESP_APP, make_esp32, 0x3f4001c0, 0},
    {"esp32-s3", IMAGE_ESP_APP, make_esp_s3, 0x3c1001c0, 0},
    {"esp32-s3-above", IMAGE_ESP_APP, make_esp_s3_above, 0x3c0001c0, 0},
    {"esp32-c6", IMAGE_ESP_APP, make_esp_c6, 0x421001c0, 0},
    {"esp32-c3-data", IMAGE_ESP_APP, make_esp_c3_data_only, 0x3c0001c0, 0},
    {"esp8266", IMAGE_ESP_APP, make_esp8266, 0x40201200, 0},
    {"esp8266-md5", IMAGE_ESP_APP, make_esp8266_md5, 0x40201200, 0},
    {"esp-flash", IMAGE_ESP_FLASH, make_esp_flash, 0x3f4001c0, 0},
    {"esp-flash-1000", IMAGE_ESP_FLASH, make_esp_flash_1000, 0x3f4001c0, 0},
    {"esp-flash-ota", IMAGE_ESP_FLASH, make_esp_flash_ota, 0x3f4001c0, 0},
    {0},
};
