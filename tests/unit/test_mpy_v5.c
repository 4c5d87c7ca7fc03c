// .mpy version 5 and frozen modules of 1.18: read, checked, listed, written, and found in memory.
#include <criterion/criterion.h>

#include "format/firmware/scan.h"
#include "format/mpy/check.h"
#include "format/mpy/dis.h"
#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"

// What upstream's mpy-cross 1.18 makes (-s old.py) of
//   def outer(first, *rest, key="a text that is longer than what gets interned"):
//       def inner(n):
//           return first + n if n else key
//       for item in rest:
//           try:
//               print(inner(item), *rest, **{"end": key})
//           except ValueError as e:
//               return e
//       return [x for x in rest], ..., b"bytes\0", 1 << 70, 2.5
static const uint8_t golden[] = {
    0x4d, 0x05, 0x02, 0x1f, 0x20, 0x5c, 0x18, 0x0a, 0x00, 0x07, 0x0c, 0x6f, 0x6c, 0x64, 0x2e, 0x70,
    0x79, 0x00, 0x53, 0x2c, 0x00, 0x23, 0x00, 0x10, 0x00, 0x69, 0x62, 0x33, 0x01, 0x16, 0x0a, 0x6f,
    0x75, 0x74, 0x65, 0x72, 0x51, 0x63, 0x01, 0x01, 0x73, 0x2d, 0x61, 0x20, 0x74, 0x65, 0x78, 0x74,
    0x20, 0x74, 0x68, 0x61, 0x74, 0x20, 0x69, 0x73, 0x20, 0x6c, 0x6f, 0x6e, 0x67, 0x65, 0x72, 0x20,
    0x74, 0x68, 0x61, 0x6e, 0x20, 0x77, 0x68, 0x61, 0x74, 0x20, 0x67, 0x65, 0x74, 0x73, 0x20, 0x69,
    0x6e, 0x74, 0x65, 0x72, 0x6e, 0x65, 0x64, 0x83, 0x14, 0xf9, 0x8a, 0x80, 0xc0, 0x40, 0x98, 0x01,
    0x01, 0x03, 0x20, 0x46, 0x26, 0x23, 0x1f, 0x43, 0x2f, 0x00, 0x00, 0x01, 0xb0, 0xb1, 0x20, 0x06,
    0x02, 0xc3, 0xb2, 0x5f, 0x4b, 0x35, 0x00, 0xc4, 0x48, 0x16, 0x00, 0x12, 0x00, 0x7b, 0xb3, 0xb4,
    0x34, 0x01, 0xb2, 0x2c, 0x01, 0x25, 0x01, 0x10, 0x00, 0x4e, 0x62, 0x35, 0x01, 0x59, 0x4a, 0x18,
    0x00, 0x57, 0x12, 0x00, 0x37, 0xdf, 0x44, 0x0f, 0x80, 0xc5, 0x49, 0x03, 0x00, 0xb5, 0x63, 0x51,
    0x51, 0xc5, 0x28, 0x05, 0x5d, 0x4a, 0x01, 0x00, 0x5d, 0x42, 0xc8, 0x7f, 0x32, 0x07, 0xb2, 0x34,
    0x01, 0x23, 0x02, 0x23, 0x03, 0x23, 0x04, 0x23, 0x05, 0x2a, 0x05, 0x63, 0x04, 0x02, 0x0a, 0x66,
    0x69, 0x72, 0x73, 0x74, 0x00, 0x69, 0x65, 0x62, 0x06, 0x62, 0x79, 0x74, 0x65, 0x73, 0x00, 0x69,
    0x16, 0x31, 0x31, 0x38, 0x30, 0x35, 0x39, 0x31, 0x36, 0x32, 0x30, 0x37, 0x31, 0x37, 0x34, 0x31,
    0x31, 0x33, 0x30, 0x33, 0x34, 0x32, 0x34, 0x66, 0x03, 0x32, 0x2e, 0x35, 0x50, 0x23, 0x0c, 0x0a,
    0x69, 0x6e, 0x6e, 0x65, 0x72, 0x05, 0x40, 0x00, 0xb2, 0x44, 0x05, 0x80, 0x25, 0x00, 0xb2, 0xf2,
    0x63, 0x25, 0x01, 0x63, 0x00, 0x00, 0x00, 0x05, 0x00, 0x05, 0x02, 0x6e, 0x60, 0x39, 0x0e, 0x14,
    0x3c, 0x6c, 0x69, 0x73, 0x74, 0x63, 0x6f, 0x6d, 0x70, 0x3e, 0x05, 0x80, 0x08, 0x00, 0x2b, 0x00,
    0xb0, 0x5f, 0x4b, 0x07, 0x00, 0xc1, 0xb1, 0x2f, 0x14, 0x42, 0xf6, 0x7f, 0x63, 0x00, 0x00, 0x00,
    0x05,
};

// What it makes (-march=armv7m -s g.py) of
//   @micropython.native
//   def nat(a, k=3):
//       return a.x + len("interned") + 2.5
//   @micropython.viper
//   def vip(n: int) -> int:
//       print(n)
//       return n
//   @micropython.asm_thumb
//   def add(r0, r1):
//       add(r0, r0, r1)
static const uint8_t machine[] = {
    0x4d, 0x05, 0x16, 0x1f, 0x20, 0x7c, 0x08, 0x10, 0x00, 0x07, 0x08, 0x67, 0x2e, 0x70, 0x79, 0x69,
    0x65, 0x20, 0x00, 0x83, 0x2a, 0x01, 0x53, 0x33, 0x00, 0x16, 0x06, 0x6e, 0x61, 0x74, 0x32, 0x01,
    0x16, 0x06, 0x76, 0x69, 0x70, 0x32, 0x02, 0x16, 0x06, 0x61, 0x64, 0x64, 0x51, 0x63, 0x00, 0x03,
    0x85, 0x5d, 0xfe, 0xb5, 0x9a, 0xb0, 0xc6, 0x68, 0xb7, 0x68, 0x13, 0x90, 0x40, 0xf2, 0xb0, 0x00,
    0x14, 0x90, 0x05, 0x20, 0x16, 0x90, 0x13, 0xa8, 0xd7, 0xf8, 0xb4, 0x40, 0xa0, 0x47, 0x13, 0x98,
    0x40, 0x68, 0x7b, 0x69, 0x98, 0x47, 0x14, 0x90, 0x00, 0x28, 0x00, 0xf0, 0x0e, 0x80, 0x00, 0xa8,
    0xd7, 0xf8, 0x80, 0x30, 0x98, 0x47, 0x00, 0x28, 0x00, 0xf0, 0x07, 0x80, 0x14, 0x98, 0x7b, 0x69,
    0x98, 0x47, 0x01, 0x98, 0xd7, 0xf8, 0x88, 0x30, 0x98, 0x47, 0x1c, 0x9c, 0x1b, 0x9d, 0x20, 0x46,
    0x40, 0xf2, 0x59, 0x11, 0x7b, 0x6a, 0x98, 0x47, 0x18, 0x90, 0x40, 0xf2, 0x6b, 0x00, 0xfb, 0x69,
    0x98, 0x47, 0x19, 0x90, 0x40, 0xf6, 0xd2, 0x20, 0xc0, 0xf2, 0x00, 0x00, 0x1a, 0x90, 0x1a, 0xaa,
    0x19, 0x98, 0x01, 0x21, 0xfb, 0x6e, 0x98, 0x47, 0x02, 0x46, 0x18, 0x99, 0x1b, 0x20, 0xbb, 0x6c,
    0x98, 0x47, 0x18, 0x90, 0x13, 0x98, 0xc0, 0x68, 0xc0, 0x68, 0x02, 0x46, 0x18, 0x99, 0x1b, 0x20,
    0xbb, 0x6c, 0x98, 0x47, 0x05, 0x90, 0x00, 0xf0, 0x00, 0xb8, 0x14, 0x98, 0x00, 0x28, 0x00, 0xf0,
    0x05, 0x80, 0x7b, 0x69, 0x98, 0x47, 0xd7, 0xf8, 0x84, 0x30, 0x98, 0x47, 0x05, 0x98, 0x1a, 0xb0,
    0xfe, 0xbd, 0xa2, 0x01, 0x08, 0x56, 0x01, 0x55, 0x01, 0x03, 0x82, 0x39, 0x02, 0x78, 0x82, 0x61,
    0x00, 0x6b, 0x83, 0x0a, 0x10, 0x69, 0x6e, 0x74, 0x65, 0x72, 0x6e, 0x65, 0x64, 0x81, 0x30, 0x09,
    0x0b, 0x01, 0x00, 0x02, 0x61, 0x02, 0x6b, 0x66, 0x03, 0x32, 0x2e, 0x35, 0x85, 0x22, 0xfe, 0xb5,
    0x94, 0xb0, 0xc6, 0x68, 0x37, 0x68, 0x13, 0x90, 0x08, 0x46, 0x11, 0x46, 0x1e, 0x46, 0x00, 0x29,
    0x40, 0xf0, 0x04, 0x80, 0x01, 0x22, 0x90, 0x42, 0x00, 0xf0, 0x07, 0x80, 0x40, 0xf2, 0x02, 0x02,
    0xc0, 0xf2, 0x02, 0x02, 0xd7, 0xf8, 0xb0, 0x30, 0x98, 0x47, 0x30, 0x68, 0x02, 0x21, 0xfb, 0x68,
    0x98, 0x47, 0x04, 0x46, 0x13, 0x98, 0x40, 0x68, 0x7b, 0x69, 0x98, 0x47, 0x14, 0x90, 0x00, 0x28,
    0x00, 0xf0, 0x0e, 0x80, 0x00, 0xa8, 0xd7, 0xf8, 0x80, 0x30, 0x98, 0x47, 0x00, 0x28, 0x00, 0xf0,
    0x07, 0x80, 0x14, 0x98, 0x7b, 0x69, 0x98, 0x47, 0x01, 0x98, 0xd7, 0xf8, 0x88, 0x30, 0x98, 0x47,
    0x40, 0xf2, 0x7b, 0x00, 0xfb, 0x69, 0x98, 0x47, 0x15, 0x90, 0x16, 0x94, 0x16, 0x98, 0x02, 0x21,
    0x3b, 0x69, 0x98, 0x47, 0x16, 0x90, 0x16, 0xaa, 0x15, 0x98, 0x01, 0x21, 0xfb, 0x6e, 0x98, 0x47,
    0x20, 0x46, 0x02, 0x21, 0x3b, 0x69, 0x98, 0x47, 0x05, 0x90, 0x00, 0xf0, 0x00, 0xb8, 0x14, 0x98,
    0x00, 0x28, 0x00, 0xf0, 0x05, 0x80, 0x7b, 0x69, 0x98, 0x47, 0xd7, 0xf8, 0x84, 0x30, 0x98, 0x47,
    0x05, 0x98, 0x14, 0xb0, 0xfe, 0xbd, 0x01, 0x83, 0x09, 0x00, 0x7b, 0x00, 0x00, 0x00, 0x1b, 0xf2,
    0xb5, 0x40, 0x18, 0xf2, 0xbd, 0x00, 0x02, 0x02,
};

static struct arena arena;
static struct diag diag;

static void setup(void)
{
    arena_init(&arena, 0);
    diag_init(&diag);
}

static void teardown(void)
{
    arena_free(&arena);
}

TestSuite(v5, .init = setup, .fini = teardown);

static struct mpy_module *read_file(const uint8_t *file, size_t size)
{
    struct mpy_module *m;
    cr_assert_eq(mpy_read(file, size, "old.mpy", &arena, &diag, &m), DIAG_OK, "%s", diag.text);
    return m;
}

static struct mpy_module *read_golden(void)
{
    return read_file(golden, sizeof golden);
}

static void is_file(const struct mpy_module *m, const uint8_t *file, size_t size)
{
    struct bytes_out out;
    bytes_out_init(&out);
    mpy_write(m, &out);
    cr_assert_not(out.failed);
    cr_assert_eq(out.size, size);
    cr_assert_eq(memcmp(out.data, file, size), 0);
    bytes_out_free(&out);
}

static void is_golden(const struct mpy_module *m)
{
    is_file(m, golden, sizeof golden);
}

Test(v5, is_written_as_it_was_read)
{
    const struct mpy_module *m = read_golden();
    cr_assert(m->v5);
    cr_assert_eq(m->qstrs[m->source].len, 6);
    cr_assert_eq(memcmp(m->qstrs[m->source].data, "old.py", 6), 0);
    is_golden(m);
}

Test(v5, is_checked)
{
    struct mpy_check report;
    cr_assert_eq(mpy_check(read_golden(), "old.mpy", &diag, &report), DIAG_OK, "%s", diag.text);
    cr_assert_eq(report.functions, 4);
}

// The offset of an instruction of outer in the tree's own copy.
static uint8_t *outer_insn(const struct mpy_module *m, uint32_t offset)
{
    struct mpy_prelude p;
    const struct mpy_code *outer = m->root->children[0];
    cr_assert_null(mpy_prelude_of(outer, &p));
    return (uint8_t *)outer->data + p.code + offset;
}

Test(v5, what_would_crash_is_refused)
{
    static const struct {
        uint32_t at; // of a byte of outer's instructions
        uint8_t byte;
        const char *why;
    } wrongs[] = {
        {9, 0xff, "jumps to"},          // FOR_ITER over the end
        {16, 0xff, "qstr"},             // LOAD_GLOBAL of a string that is not there
        {70, 0x01, "cut off or has a"}, // LOAD_CONST_OBJ of an argument's name
        {70, 0x07, "constant"},         // of a child
        {65, 0x05, "cut off or has a"}, // MAKE_FUNCTION of a constant
        {65, 0x08, "child"},            // of none
        {32, 0x03, "on the stack"},     // CALL_FUNCTION_VAR_KW with an argument too many
    };
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct mpy_module *m = read_golden();
        *outer_insn(m, wrongs[i].at) = wrongs[i].byte;
        diag_init(&diag);
        cr_assert_eq(mpy_check(m, "old.mpy", &diag, NULL), DIAG_MALFORMED, "case %zu", i);
        cr_assert(strstr(diag.text, wrongs[i].why), "case %zu: %s", i, diag.text);
    }
}

static void expect_lines(const struct mpy_module *m, const char *const *lines, size_t n)
{
    struct bytes_out out;
    bytes_out_init(&out);
    cr_assert_eq(mpy_dis_text(m, "old.mpy", &arena, &out, &diag), DIAG_OK);
    bytes_put_u8(&out, 0);
    for (size_t i = 0; i < n; i++) {
        cr_assert(strstr((const char *)out.data, lines[i]), "no '%s'", lines[i]);
    }
    bytes_out_free(&out);
}

Test(v5, machine_code_is_written_as_it_was_read)
{
    static const char *const lines[] = {"architecture armv7m",
                                        "nat in 0: native",
                                        "arguments a, k",
                                        "constant 0: 2.5",
                                        "<viper> in 0: viper",
                                        "<asm> in 0: asm",
                                        "x\n",
                                        "interned\n",
                                        "arguments 2, type signature"};
    const struct mpy_module *m = read_file(machine, sizeof machine);
    struct mpy_check report;
    is_file(m, machine, sizeof machine);
    cr_expect_eq(mpy_check(m, "old.mpy", &diag, &report), DIAG_OK, "%s", diag.text);
    cr_expect_eq(report.native, 3);
    expect_lines(m, lines, sizeof lines / sizeof *lines);
    cr_expect_null(mpy_v5_lost(m->root));
}

Test(v5, is_listed)
{
    static const char *const lines[] = {
        "source old.py, version 5.2",
        "arguments first, key",
        "constant 2: 1180591620717411303424",
        "FOR_ITER                -> 64",
        "POP_JUMP_IF_FALSE       -> 60",
        "MAKE_CLOSURE            0: inner, 2 cells",
        "LOAD_CONST_OBJ          1: b'bytes\\x00'",
        "line 9",
    };
    expect_lines(read_golden(), lines, sizeof lines / sizeof *lines);
}

Test(v5, every_truncation_is_malformed)
{
    struct mpy_module *m;
    for (size_t n = 5; n < sizeof golden; n++) {
        diag_init(&diag);
        cr_assert_eq(mpy_read(golden, n, "old.mpy", &arena, &diag, &m), DIAG_MALFORMED, "%zu", n);
    }
    for (size_t n = 5; n < sizeof machine; n++) {
        cr_assert_eq(mpy_read(machine, n, "old.mpy", &arena, &diag, &m), DIAG_MALFORMED, "%zu", n);
    }
}

// Whether a file is accepted; then it is written back, and checked and listed without harm.
static bool accepts(const uint8_t *file, size_t size)
{
    struct mpy_module *m;
    struct bytes_out out;
    struct arena a;
    arena_init(&a, 1 << 20);
    diag_init(&diag);
    bool ok = !mpy_read(file, size, "old.mpy", &a, &diag, &m);
    if (ok) {
        bytes_out_init(&out);
        mpy_write(m, &out);
        (void)mpy_check(m, "old.mpy", &diag, NULL);
        (void)mpy_dis_text(m, "old.mpy", &a, &out, &diag);
        bytes_out_free(&out);
    }
    arena_free(&a);
    return ok;
}

static unsigned accepted_flips(const uint8_t *file, size_t size)
{
    uint8_t copy[1024];
    unsigned n = 0;
    cr_assert_leq(size, sizeof copy);
    for (size_t i = 16; i < 8 * size; i++) {
        memcpy(copy, file, size);
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        n += accepts(copy, size);
    }
    return n;
}

Test(v5, flipped_bytes_do_no_harm)
{
    cr_assert_gt(accepted_flips(golden, sizeof golden), 500);
    cr_assert_gt(accepted_flips(machine, sizeof machine), 500);
}

// --- frozen

enum {
    MEM_ADDR = 0x10000,
    MEM_STR = 0x100,
    MEM_BYTES = 0x200,
    MEM_INT = 0x300,
    MEM_DOTS = 0x400,
    MEM_FUN_TABLE = 0x500
};

struct memory { // a made-up firmware of 1.18: 32 bits, REPR_A
    uint8_t bytes[4096];
    uint32_t at;
    const struct mpy_module *module;
};

static uint32_t put(struct memory *mem, const void *bytes, uint32_t n)
{
    uint32_t at = mem->at;
    cr_assert_leq(at + n + 4, sizeof mem->bytes);
    memcpy(mem->bytes + at, bytes, n);
    mem->at = (at + n + 3) & ~3u;
    return MEM_ADDR + at;
}

static uint32_t put_words(struct memory *mem, const uint32_t *words, uint32_t n)
{
    uint8_t bytes[256];
    for (uint32_t i = 0; i < n; i++) {
        st32(bytes + 4 * i, words[i]);
    }
    return put(mem, bytes, 4 * n);
}

// Firmware ids: static qstrs as they are, the module's others behind them.
static uint32_t firmware_id(const struct memory *mem, uint32_t index)
{
    const struct mpy_qstr *q = &mem->module->qstrs[index];
    return q->static_id ? q->static_id : MPY_STATIC_QSTRS + 1 + index;
}

static uint32_t put_obj(struct memory *mem, const struct mpy_obj *o)
{
    if (o->kind == MPY_OBJ_ELLIPSIS) {
        return MEM_DOTS;
    }
    if (o->kind == MPY_OBJ_INT) { // 1 << 70: {type, fixed | alloc | len, digits}
        static const uint8_t digits[] = {0, 0, 0, 0, 0, 0, 0, 0, 64, 0};
        uint32_t dig = put(mem, digits, sizeof digits);
        return put_words(mem, (const uint32_t[]){MEM_INT, 2 | 5 << 2, 5, dig}, 4);
    }
    if (o->kind == MPY_OBJ_FLOAT) { // {type, 2.5}
        return put_words(mem, (const uint32_t[]){MEM_INT + 0x80, 0x40200000}, 2);
    }
    uint32_t text = put(mem, o->data, o->len);
    uint32_t type = o->kind == MPY_OBJ_STR ? MEM_STR : MEM_BYTES;
    return put_words(mem, (const uint32_t[]){type, 0, o->len, text}, 4);
}

// The bytes of a function with the firmware's numbers of strings.
static uint32_t put_data(struct memory *mem, const struct mpy_code *c)
{
    uint8_t data[256];
    struct mpy_prelude p;
    struct mpy_insn i;
    memcpy(data, c->data, c->size);
    if (c->kind == MPY_CODE_BYTECODE || c->kind == MPY_CODE_NATIVE) {
        cr_assert_null(mpy_prelude_of(c, &p));
        st16(data + p.names, (uint16_t)firmware_id(mem, p.name));
        st16(data + p.names + 2, (uint16_t)firmware_id(mem, p.source));
    }
    for (uint32_t at = p.code; c->kind == MPY_CODE_BYTECODE && at < c->size; at += i.size) {
        cr_assert(mpy_insn_decode(c->data, c->size, at, c->v5, &i));
        if (i.info->arg == MPY_ARG_QSTR) {
            st16(data + at + 1, (uint16_t)firmware_id(mem, (uint32_t)i.arg));
        }
    }
    return put(mem, data, c->size);
}

static uint32_t raw_head(const struct mpy_code *c)
{
    const struct mpy_machine *m = mpy_machine(c);
    struct mpy_prelude p = {.scope_flags = m->scope_flags, .n_pos_args = m->n_pos_args};
    if (c->kind == MPY_CODE_BYTECODE || c->kind == MPY_CODE_NATIVE) {
        cr_assert_null(mpy_prelude_of(c, &p));
    }
    return (c->kind + 2) | p.scope_flags << 3 | p.n_pos_args << 10;
}

// {kind, flags and arguments; code; table of argument names, constants and children; signature}
static uint32_t put_code(struct memory *mem, const struct mpy_code *c)
{
    uint32_t table[32], n = 0;
    for (uint32_t k = 0; k < c->v5->n_args; k++) {
        table[n++] = firmware_id(mem, c->v5->args[k]) << 3 | 2;
    }
    if (c->kind == MPY_CODE_NATIVE || c->kind == MPY_CODE_VIPER) {
        table[n++] = MEM_FUN_TABLE;
    }
    for (uint32_t k = 0; k < c->v5->n_objs; k++) {
        table[n++] = put_obj(mem, &c->v5->objs[k]);
    }
    for (uint32_t k = 0; k < c->n_children; k++) {
        table[n++] = put_code(mem, c->children[k]);
    }
    uint32_t code = put_data(mem, c), at = n ? put_words(mem, table, n) : 0;
    return put_words(mem, (const uint32_t[]){raw_head(c), code, at, mpy_machine(c)->type_sig}, 4);
}

static struct fw_qstr *firmware_qstrs(const struct mpy_module *m)
{
    struct fw_qstr *all = ARENA_ARRAY(&arena, struct fw_qstr, MPY_STATIC_QSTRS + 1 + m->n_qstr);
    for (uint32_t i = 0; i < MPY_STATIC_QSTRS + 1 + m->n_qstr; i++) {
        const char *s = i == 0 ? "" : i <= MPY_STATIC_QSTRS ? mpy_static_qstr(i) : NULL;
        all[i] = s ? (struct fw_qstr){s, (uint32_t)strlen(s), 0}
                   : (struct fw_qstr){m->qstrs[i - MPY_STATIC_QSTRS - 1].data,
                                      m->qstrs[i - MPY_STATIC_QSTRS - 1].len, 0};
    }
    return all;
}

// Freezes m into a made-up firmware and reads it back.
static const struct mpy_module *thaw(const struct mpy_module *m)
{
    static struct memory mem;
    struct image *img;
    struct mpy_module *out = NULL;
    memset(&mem, 0, sizeof mem);
    mem.module = m;
    struct fw_module module = {.kind = FW_MODULE_MPY, .name = "old.py"};
    module.addr = module.code = put_code(&mem, mem.module->root);
    cr_assert_eq(image_read(mem.bytes, mem.at, "m.bin", IMAGE_BIN, &arena, &diag, &img), DIAG_OK);
    image_rebase(img, MEM_ADDR);
    struct firmware fw = {.profile = fw_profile_find(1, 18),
                          .image = img,
                          .ptr = 4,
                          .repr = FW_REPR_A,
                          .float_kind = FW_FLOAT_F32,
                          .longint = FW_LONGINT_MPZ,
                          .mpz_dig_bits = 16,
                          .small_int_bits = 31,
                          .mpy_abi = -1,
                          .mpy_arch = MPY_ARCH_ARMV7M,
                          .qstrs = firmware_qstrs(mem.module),
                          .n_qstrs = MPY_STATIC_QSTRS + 1 + mem.module->n_qstr,
                          .modules = &module,
                          .n_modules = 1};
    firmware_gather_starts(&fw, &arena);
    fw.objects[FW_TYPE_STR] = MEM_STR;
    fw.objects[FW_TYPE_BYTES] = MEM_BYTES;
    fw.objects[FW_TYPE_INT] = MEM_INT;
    fw.objects[FW_TYPE_FLOAT] = MEM_INT + 0x80;
    fw.objects[FW_CONST_ELLIPSIS] = MEM_DOTS;
    fw.objects[FW_FUN_TABLE] = MEM_FUN_TABLE;
    cr_assert_eq(firmware_unfreeze(&fw, &module, &arena, &diag, &out), DIAG_OK, "%s", diag.text);
    return out;
}

Test(v5, a_frozen_module_of_1_18_comes_back)
{
    is_golden(thaw(read_golden()));
}

// Machine code comes back but for the places of the strings in it, which freezing drops.
Test(v5, frozen_machine_code_of_1_18_is_read)
{
    const struct mpy_module *m = read_file(machine, sizeof machine), *out = thaw(m);
    cr_assert_eq(out->arch, MPY_ARCH_ARMV7M);
    cr_assert_eq(out->root->n_children, 3);
    for (unsigned i = 0; i < 3; i++) {
        const struct mpy_code *a = m->root->children[i], *b = out->root->children[i];
        cr_expect_eq(b->kind, a->kind);
        cr_expect(b->size >= a->size && b->size < a->size + 4, "function %u", i);
        cr_expect_eq(mpy_machine(b)->prelude_offset, mpy_machine(a)->prelude_offset);
        cr_expect_eq(mpy_machine(b)->n_pos_args, mpy_machine(a)->n_pos_args);
        cr_expect_eq(mpy_machine(b)->type_sig, mpy_machine(a)->type_sig);
        cr_expect_eq(b->v5->n_args, a->v5->n_args);
        cr_expect_eq(b->v5->n_objs, a->v5->n_objs);
        cr_expect_eq(b->v5->links_lost, a->kind != MPY_CODE_ASM);
    }
    static const char *const lines[] = {"nat in 0: native", "arguments a, k", "constant 0: 2.5"};
    expect_lines(out, lines, 3);
    cr_expect_eq(mpy_v5_lost(out->root), out->root->children[0]);
    cr_expect_null(mpy_v5_lost(out->root->children[2])); // assembler code has no strings
}
