// Tables that images hold for tools: what they say becomes evidence, and bounds free space.
#include <criterion/criterion.h>

#include "format/firmware/scan.h"

enum { SIZE = 4096, RP2 = 0x10000000, NORDIC = 0x60000, UICR = 0x10001000, POOL = 0x400 };

struct bench {
    struct arena arena;
    struct scan scan;
    struct firmware fw;
    struct image image;
    struct view_span spans[2];
    uint8_t flash[SIZE], registers[SIZE];
    struct limit limit;
};

static void bench_begin(struct bench *b, uint64_t flash)
{
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, 1 << 20);
    memset(b->registers, 0xff, sizeof b->registers);
    b->spans[0] = (struct view_span){flash, SIZE, b->flash, 0, IMAGE_R};
    b->spans[1] = (struct view_span){UICR, SIZE, b->registers, SIZE, IMAGE_R};
    b->scan.arena = &b->arena;
    b->scan.fw = &b->fw;
    b->scan.view = (struct view){.image = &b->image,
                                 .n = flash == RP2 ? 1 : 2,
                                 .spans = b->spans,
                                 .ptr = 4,
                                 .low = flash,
                                 .high = (flash > UICR ? flash : UICR) + SIZE,
                                 .total = 2 * SIZE};
}

static bool run(struct bench *b, uint64_t flash)
{
    return declared_limit(&b->scan, flash + POOL, flash == RP2 ? flash : 0, &b->limit);
}

static const char *evidence(const struct bench *b, const char *what)
{
    for (unsigned i = 0; i < b->fw.n_evidence; i++)
        if (strcmp(b->fw.evidence[i].what, what) == 0)
            return b->fw.evidence[i].value;
    return "";
}

static void words(struct bench *b, uint32_t at, const uint32_t *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        st32(b->flash + at + 4 * i, w[i]);
}

enum { TAG_SDK = 'P' << 24 | 'R' << 16, TAG_MP = 'P' << 24 | 'M' << 16, COPIED = 0x20000000 };

// A header at 0x1d4, four entries, the last of which the start-up code copies to RAM.
static void make_info(struct bench *b)
{
    static const uint32_t header[] = {0x7188ebf2, RP2 + 0x200, RP2 + 0x210, RP2 + 0x240,
                                      0xe71aa390};
    static const uint32_t entries[] = {RP2 + 0x300, RP2 + 0x310, RP2 + 0x320, COPIED + 0x40};
    static const uint32_t copies[] = {RP2 + 0x600, COPIED, COPIED + 0x100, 0};
    static const uint32_t version[] = {TAG_SDK | 6, 0x11a9bc3a, RP2 + 0x380};
    static const uint32_t end[] = {TAG_SDK | 5, 0x68f465de, RP2 + 0xff0};
    static const uint32_t device[] = {TAG_MP | 7, RP2 + 0x390, RP2 + 0x100000, 0x80000};
    static const uint32_t board[] = {TAG_SDK | 6, 0xb63cffbb, COPIED + 0x80};
    words(b, 0x1d4, header, 5);
    words(b, 0x200, entries, 4);
    words(b, 0x240, copies, 4);
    words(b, 0x300, version, 3);
    words(b, 0x310, end, 3);
    words(b, 0x320, device, 4);
    words(b, 0x640, board, 3);
    memcpy(b->flash + 0x380, "v9.8.7", 7);
    memcpy(b->flash + 0x390, "Files", 6);
    memcpy(b->flash + 0x680, "pico", 5);
}

Test(declared, binary_info_of_the_pico_sdk)
{
    struct bench b;
    bench_begin(&b, RP2);
    make_info(&b);
    cr_expect(run(&b, RP2));
    cr_expect_eq(b.limit.addr, RP2 + 0x100000);
    cr_expect_str_eq(evidence(&b, "program version"), "v9.8.7");
    cr_expect_str_eq(evidence(&b, "program end"), "0x10000ff0");
    cr_expect_str_eq(evidence(&b, "block device"), "Files: 0x10100000, 524288 bytes");
    cr_expect_str_eq(evidence(&b, "SDK board"), "pico");
    arena_free(&b.arena);
}

Test(declared, a_file_system_in_front_of_the_program_bounds_nothing)
{
    struct bench b;
    bench_begin(&b, RP2);
    make_info(&b);
    st32(b.flash + 0x328, RP2 + 0x100);
    cr_expect_not(run(&b, RP2));
    cr_expect_eq(b.limit.addr, 0);
    arena_free(&b.arena);
}

Test(declared, binary_info_with_any_byte_changed_is_read_or_not)
{
    struct bench b;
    bench_begin(&b, RP2);
    for (unsigned at = 0x1d4; at < 0x330; at++) {
        make_info(&b);
        b.flash[at] ^= 0xff;
        b.limit = (struct limit){0, NULL};
        run(&b, RP2);
        cr_expect(b.limit.addr == 0 || b.limit.addr > RP2 + POOL, "byte 0x%x", at);
    }
    arena_free(&b.arena);
}

// Items: image type, then (sealed) a hash, then the end of the list and the link to the next block.
static void make_block(struct bench *b, bool sealed)
{
    static const uint32_t plain[] = {0xffffded3, 0x10210142, 0x000001ff, 0, 0xab123579};
    static const uint32_t hashed[] = {0xffffded3, 0x10210142, 0x0000024b, 0,
                                      0x000003ff, 0,          0xab123579};
    words(b, 0x138, sealed ? hashed : plain, sealed ? 7 : 5);
}

Test(declared, image_definition_of_the_rp2350)
{
    struct bench b;
    bench_begin(&b, RP2);
    make_block(&b, false);
    run(&b, RP2);
    cr_expect_str_eq(evidence(&b, "image definition"), "executable, Arm, RP2350");
    cr_expect_eq(b.scan.sealed, 0);
    make_block(&b, true);
    run(&b, RP2);
    cr_expect_eq(b.scan.sealed, RP2 + 0x138);
    arena_free(&b.arena);
}

static void make_table(struct bench *b)
{
    static const uint32_t rows[] = {
        0x00010001, 0x10000,    0,           0,         // SoftDevice
        0x00600202, 0x900,      NORDIC + 16, 0,         // MicroPython, with a text
        0x006d0003, 0x6000,     0,           0,         // files
        0x597f30fe, 0x00300001, 0x000c0003,  0xc1b1d79d // the last row
    };
    words(b, SIZE - sizeof rows, rows, sizeof rows / 4);
    memcpy(b->flash + 16, "v2.9", 5);
}

Test(declared, flash_layout_table_of_the_microbit)
{
    struct bench b;
    bench_begin(&b, NORDIC);
    make_table(&b);
    cr_expect(run(&b, NORDIC));
    cr_expect_eq(b.limit.addr, 0x6d000);
    cr_assert_eq(b.fw.n_evidence, 3);
    cr_expect_str_eq(b.fw.evidence[0].value, "SoftDevice 0x1000, 65536 bytes");
    cr_expect_str_eq(b.fw.evidence[1].value, "MicroPython 0x60000, 2304 bytes: v2.9");
    arena_free(&b.arena);
}

Test(declared, a_layout_table_that_is_none_is_not_read)
{
    for (unsigned at = SIZE - 16; at < SIZE; at++) {
        struct bench b;
        bench_begin(&b, NORDIC);
        make_table(&b);
        b.flash[at] ^= 0x40;
        cr_expect_not(run(&b, NORDIC), "byte %u", at);
        arena_free(&b.arena);
    }
}

Test(declared, the_boot_loader_of_a_nordic_chip)
{
    struct bench b;
    bench_begin(&b, NORDIC);
    cr_expect_not(run(&b, NORDIC)); // erased registers name none
    cr_expect_eq(b.limit.addr, 0);
    st32(b.registers + 0x14, 0x77000);
    cr_expect_not(run(&b, NORDIC)); // it is no file system: other limits may lie before it
    cr_expect_eq(b.limit.addr, 0x77000);
    cr_expect_str_eq(evidence(&b, "boot loader"), "0x77000");
    arena_free(&b.arena);
}
