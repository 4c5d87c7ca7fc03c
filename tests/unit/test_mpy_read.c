#include <criterion/criterion.h>
#include <string.h>

#include "format/mpy/extent.h"
#include "format/mpy/mpy.h"
#include "format/mpy/opcode.h"

// A module that has one of everything; the tests read what mpy_write makes of it.
static const uint8_t leaf_bytes[] = {0x10, 0x02, 0x01, 0x51, 0x63};
static const uint8_t native_bytes[] = {0x90, 0x90, 0x90, 0x90, 0x10, 0x02, 0x01};
static const uint8_t relocs[] = {0x05, 0x04, 0x02, 0x03, 0xff};
static const struct mpy_code leaf = {.data = leaf_bytes, .size = sizeof leaf_bytes};
static const struct mpy_code native = {.kind = MPY_CODE_NATIVE,
                                       .data = native_bytes,
                                       .size = sizeof native_bytes,
                                       .machine = &(struct mpy_machine){.prelude_offset = 4}};
static const struct mpy_code viper = {.kind = MPY_CODE_VIPER,
                                      .data = native_bytes,
                                      .size = 4,
                                      .machine =
                                          &(struct mpy_machine){.scope_flags = 0x70,
                                                                .rodata_size = 3,
                                                                .bss_size = 200,
                                                                .rodata = (const uint8_t *)"abc",
                                                                .relocs = relocs,
                                                                .relocs_size = sizeof relocs}};
static const struct mpy_code assembler = {
    .kind = MPY_CODE_ASM,
    .data = native_bytes,
    .size = 4,
    .machine = &(struct mpy_machine){.n_pos_args = 2, .type_sig = 300}};
static const struct mpy_code *const children[] = {&leaf, &native, &viper, &assembler};
static const struct mpy_code root = {.data = leaf_bytes,
                                     .size = sizeof leaf_bytes,
                                     .n_children = 4,
                                     .children = (struct mpy_code *const *)children};
static const struct mpy_qstr qstrs[] = {{"t.py", 4, 0}, {"<module>", 8, 16}, {"", 0, 0}};
static const struct mpy_obj items[] = {{MPY_OBJ_INT, 2, {(const uint8_t *)"-1"}},
                                       {MPY_OBJ_TUPLE, 0, {NULL}},
                                       {MPY_OBJ_FLOAT, 5, {(const uint8_t *)"1e-07"}}};
static const struct mpy_obj objs[] = {
    {MPY_OBJ_FUN_TABLE, 0, {NULL}},
    {MPY_OBJ_STR, 3, {(const uint8_t *)"a\0b"}},
    {MPY_OBJ_BYTES, 0, {(const uint8_t *)""}},
    {MPY_OBJ_COMPLEX, 2, {(const uint8_t *)"1j"}},
    {MPY_OBJ_TUPLE, 3, {.items = items}},
    {MPY_OBJ_ELLIPSIS, 0, {NULL}},
};
static const struct mpy_module sample = {.sub_version = 3,
                                         .arch = MPY_ARCH_RV32IMC,
                                         .small_int_bits = 31,
                                         .has_arch_flags = true,
                                         .arch_flags = 1,
                                         .n_qstr = 3,
                                         .qstrs = qstrs,
                                         .n_obj = 6,
                                         .objs = objs,
                                         .root = &root};

static struct bytes_out sample_bytes(void)
{
    struct bytes_out out;
    bytes_out_init(&out);
    mpy_write(&sample, &out);
    return out;
}

// Reads and, if that works, demands that writing gives the same bytes. True if it was read.
static bool reads(const uint8_t *data, size_t size)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    struct diag d;
    diag_init(&d);
    struct mpy_module *m;
    // A copy of its own, so that a sanitizer sees every byte read too much.
    uint8_t *copy = memcpy(malloc(size + 1), data, size);
    enum diag_code err = mpy_read(copy, size, "t.mpy", &a, &d, &m);
    cr_assert(err == DIAG_OK || err == DIAG_MALFORMED);
    cr_assert_eq(err, d.code);
    if (!err) {
        struct bytes_out out;
        bytes_out_init(&out);
        mpy_write(m, &out);
        cr_assert_eq(out.size, size);
        cr_assert_eq(memcmp(out.data, copy, size), 0);
        bytes_out_free(&out);
    }
    arena_free(&a);
    free(copy);
    return err == DIAG_OK;
}

Test(mpy_read, round_trip)
{
    struct bytes_out out = sample_bytes();
    cr_assert(reads(out.data, out.size));
    bytes_out_free(&out);
}

Test(mpy_read, every_truncation_and_one_byte_more_is_refused)
{
    struct bytes_out out = sample_bytes();
    for (size_t n = 0; n < out.size; n++) {
        cr_assert_not(reads(out.data, n), "%zu bytes", n);
    }
    bytes_put_u8(&out, 0);
    cr_assert_not(reads(out.data, out.size));
    bytes_out_free(&out);
}

Test(mpy_read, every_byte_changed_to_every_value)
{
    struct bytes_out out = sample_bytes();
    for (size_t i = 0; i < out.size; i++) {
        uint8_t was = out.data[i];
        for (unsigned v = 0; v < 256; v++) {
            out.data[i] = (uint8_t)v;
            reads(out.data, out.size);
        }
        out.data[i] = was;
    }
    bytes_out_free(&out);
}

Test(mpy_read, refuses_what_it_could_not_write_back)
{
    const uint8_t longer[] = {'M', 6, 0, 31, 0x80, 1, 0, 2, 'a', 0, 0x28, 0x10, 2, 1, 0x51, 0x63};
    const uint8_t plain[] = {'M', 6, 0, 31, 1, 0, 2, 'a', 0, 0x28, 0x10, 2, 1, 0x51, 0x63};
    const uint8_t no_nul[] = {'M', 6, 0, 31, 1, 0, 2, 'a', 7, 0x28, 0x10, 2, 1, 0x51, 0x63};
    const uint8_t native_no_arch[] = {'M', 6, 0, 31, 1, 0, 2, 'a', 0, 0x29, 0x10, 2, 1, 0, 0, 0};
    cr_assert(reads(plain, sizeof plain));
    cr_assert_not(reads(longer, sizeof longer));
    cr_assert_not(reads(no_nul, sizeof no_nul));
    cr_assert_not(reads(native_no_arch, sizeof native_no_arch));
}

Test(mpy_read, a_huge_count_costs_no_memory)
{
    // n_qstr, then n_obj, then a tuple of 2^28.
    const uint8_t qstr[] = {'M', 6, 0, 31, 0x8f, 0xff, 0xff, 0xff, 0x7f, 0};
    const uint8_t obj[] = {'M', 6, 0, 31, 1, 0x8f, 0xff, 0xff, 0xff, 0x7f, 2, 'a', 0};
    const uint8_t tuple[] = {'M', 6, 0, 31, 1, 1, 2, 'a', 0, 10, 0x8f, 0xff, 0xff, 0xff, 0x7f};
    cr_assert_not(reads(qstr, sizeof qstr));
    cr_assert_not(reads(obj, sizeof obj));
    cr_assert_not(reads(tuple, sizeof tuple));
}

Test(mpy_read, deep_nesting_is_refused)
{
    struct bytes_out out;
    bytes_out_init(&out);
    bytes_put(&out, "M\6\0\37\1\1\2a", 9);
    for (unsigned i = 0; i < 100000; i++) {
        bytes_put(&out, "\x0a\x01", 2);
    }
    cr_assert_not(reads(out.data, out.size));
    bytes_out_free(&out);
    bytes_out_init(&out);
    bytes_put(&out, "M\6\0\37\1\0\2a", 9);
    for (unsigned i = 0; i < 100000; i++) {
        bytes_put(&out, "\x2c\x10\x02\x01\x51\x63\x01", 7);
    }
    cr_assert_not(reads(out.data, out.size));
    bytes_out_free(&out);
}

Test(opcode, table_is_sorted_and_does_not_overlap)
{
    unsigned next = 0, known = 0;
    for (unsigned b = 0; b < 256; b++) {
        const struct mpy_op_info *op = mpy_op_info((uint8_t)b);
        if (op && op->first == b) {
            cr_assert_geq(b, next);
            next = b + op->count;
        }
        known += op != NULL;
    }
    cr_assert_eq(known, 13 + 16 + 8 + 11 + 16 + 8 + 64 + 16 + 16 + 4 + 35);
}

Test(opcode, arguments)
{
    struct mpy_insn i;
    const uint8_t small[] = {0x22, 0x81, 0x00}, negative[] = {0x22, 0x7f};
    cr_assert(mpy_insn_decode(small, 3, 0, NULL, &i) && i.arg == 128 && i.size == 3);
    cr_assert(mpy_insn_decode(negative, 2, 0, NULL, &i) && i.arg == -1);
    cr_assert_not(mpy_insn_decode(small, 2, 0, NULL, &i));
    const uint8_t back[] = {0x42, 0x3e}, far[] = {0x42, 0x80, 0x80}, unwind[] = {0x40, 0x40, 0x81};
    cr_assert(mpy_insn_decode(back, 2, 0, NULL, &i) && i.target == 0);
    cr_assert(mpy_insn_decode(far, 3, 0, NULL, &i) && i.target == 3);
    cr_assert(mpy_insn_decode(unwind, 3, 0, NULL, &i) && i.target == 2 && i.extra == 0x81 &&
              i.size == 3);
    const uint8_t multi[] = {0x70, 0xb3, 0xf9};
    cr_assert(mpy_insn_decode(multi, 3, 0, NULL, &i) && i.arg == -16);
    cr_assert(mpy_insn_decode(multi, 3, 1, NULL, &i) && i.arg == 3 &&
              i.op == MPY_OP_LOAD_FAST_MULTI);
    cr_assert(mpy_insn_decode(multi, 3, 2, NULL, &i) && i.arg == 34);
    cr_assert_not(mpy_insn_decode((const uint8_t[]){0x00}, 1, 0, NULL, &i));
    cr_assert_not(mpy_insn_decode((const uint8_t[]){0xfa}, 1, 0, NULL, &i));
}

static uint32_t extent_end(const uint8_t *data, size_t limit)
{
    struct mpy_extent e;
    cr_assert_null(mpy_extent_find(data, limit, NULL, &e));
    mpy_extent_tail(data, limit, NULL, &e);
    return e.end;
}

// What follows a frozen function may decode as instructions: a jump out of the function tells.
Test(mpy_read, dead_code_is_told_from_what_follows)
{
    static const uint8_t dead[] = {0x10, 0x02, 0x01, 0x51, 0x63, 0x4a, 0x01, 0x5d, 0x51, 0x63, 0};
    static const uint8_t ahead[] = {0x10, 0x02, 0x01, 0x51, 0x63, 0x4a, 0x92, 0x0c, 0, 0};
    static const uint8_t before[] = {0x10, 0x02, 0x01, 0x51, 0x63, 0x42, 0x30, 0, 0};
    cr_expect_eq(extent_end(dead, sizeof dead), 10);
    cr_expect_eq(extent_end(ahead, sizeof ahead), 5);
    cr_expect_eq(extent_end(before, sizeof before), 5);
    static const uint8_t aside[] = {0x10, 0x02, 0x01, 0x22, 0x81, 0x00,
                                    0x63, 0x42, 0x3b, 0x51, 0x63, 0}; // into the constant
    cr_expect_eq(extent_end(aside, sizeof aside), 7);
    static const uint8_t open[] = {0x10, 0x02, 0x01, 0x51, 0x63, 0x42, 0x3c, 0, 0};
    cr_expect_eq(extent_end(open, sizeof open), 5);
}
