// Machine code frozen and read back: native, viper and assembler functions, and natmods, in every
// layout of raw code; and what is no frozen machine code.
#include "freeze_fixture.h"

static struct fix x;

static void setup(void)
{
    fix_begin(&x);
}

static void teardown(void)
{
    fix_end(&x);
}

TestSuite(unfreeze_native, .init = setup, .fini = teardown);

// A native function begins with the number of its children, which are bytecode; its prelude is
// at 8.
static const uint8_t inner_bytes[] = {0x18, 0x02, 0x03, 0x51, 0x63};
static const uint8_t native_bytes[] = {1,    0,    0,    0,    0,    0,    0,   0,
                                       0x70, 0x47, 0xc0, 0x46, 0x18, 0x02, 0x02};
static const uint8_t plain_bytes[] = {0,    0,    0,    0,    0,    0,    0,   0,
                                      0x70, 0x47, 0xc0, 0x46, 0x18, 0x02, 0x02};
static const uint8_t viper_bytes[] = {0x01, 0x20, 0x70, 0x47, 0x02, 0x20, 0x70, 0x47};
static const uint8_t asm_bytes[] = {0x03, 0x20, 0x70, 0x47};
static const uint8_t body_bytes[] = {0x18, 0x02, 0x01, 0x32, 0x00, 0x59, 0x32, 0x01, 0x59,
                                     0x32, 0x02, 0x59, 0x32, 0x03, 0x59, 0x51, 0x63};
static struct mpy_code inner = {.data = inner_bytes, .size = sizeof inner_bytes};
static struct mpy_code *const native_children[] = {&inner};
static struct mpy_code native = {.kind = MPY_CODE_NATIVE,
                                 .data = native_bytes,
                                 .size = sizeof native_bytes,
                                 .n_children = 1,
                                 .children = native_children,
                                 .machine = &(struct mpy_machine){.prelude_offset = 12}};
static struct mpy_code plain = {.kind = MPY_CODE_NATIVE,
                                .data = plain_bytes,
                                .size = sizeof plain_bytes,
                                .machine = &(struct mpy_machine){.prelude_offset = 12}};
static struct mpy_code viper = {.kind = MPY_CODE_VIPER,
                                .data = viper_bytes,
                                .size = sizeof viper_bytes,
                                .n_children = 1,
                                .children = native_children,
                                .machine = &(struct mpy_machine){0}};
static struct mpy_code assembler = {.kind = MPY_CODE_ASM,
                                    .data = asm_bytes,
                                    .size = sizeof asm_bytes,
                                    .machine =
                                        &(struct mpy_machine){.n_pos_args = 3, .type_sig = 0x155}};
static struct mpy_code *const body_children[] = {&native, &viper, &assembler, &plain};
static struct mpy_code body = {
    .data = body_bytes, .size = sizeof body_bytes, .n_children = 4, .children = body_children};
static const struct mpy_qstr qstrs[] = {
    {"pkg/m.py", 8, 0}, {"<module>", 8, 7}, {"middle", 6, 0}, {"inner", 5, 0}, {"extra", 5, 0}};
static const struct mpy_obj objs[] = {{.kind = MPY_OBJ_ELLIPSIS}, {.kind = MPY_OBJ_NONE}};

static struct freeze_input input(const struct mpy_code *root)
{
    static struct mpy_module m;
    m = (struct mpy_module){.small_int_bits = 31,
                            .arch = x.fw.mpy_arch,
                            .sub_version = x.profile.mpy_sub_version,
                            .n_qstr = 5,
                            .qstrs = qstrs,
                            .n_obj = 2,
                            .objs = objs,
                            .root = root};
    return (struct freeze_input){
        .kind = FW_MODULE_MPY, .name = "pkg/m.py", .file = "m.mpy", .mpy = &m};
}

// Where no length is stored, machine code reaches to what comes next.
static bool same_size(const struct mpy_code *was, const struct mpy_code *is)
{
    bool exact =
        was->kind == MPY_CODE_BYTECODE || was->kind == MPY_CODE_NATIVE || x.fw.save == FW_YES;
    return exact ? is->size == was->size : is->size >= was->size && is->size < was->size + 32;
}

static void same_code(const struct mpy_code *was, const struct mpy_code *is, unsigned layout)
{
    const struct mpy_machine *a = mpy_machine(was), *b = mpy_machine(is);
    cr_assert_eq(is->kind, was->kind, "layout %u", layout);
    cr_assert(same_size(was, is), "layout %u: kind %d, %u bytes", layout, is->kind, is->size);
    cr_assert_arr_eq(is->data, was->data, was->size, "layout %u", layout);
    cr_assert_eq(b->prelude_offset, a->prelude_offset, "layout %u", layout);
    if (was->kind == MPY_CODE_ASM) {
        cr_assert_eq(b->n_pos_args, a->n_pos_args, "layout %u", layout);
        cr_assert_eq(b->type_sig, a->type_sig, "layout %u", layout);
    }
    cr_assert_eq(is->n_children, was->n_children, "layout %u", layout);
    for (unsigned i = 0; i < was->n_children; i++) {
        same_code(was->children[i], is->children[i], layout);
    }
}

// Bits of a layout: 64-bit pointers, raw codes of 1.23 on, SAVE, settrace, names for debugging.
static void set_layout(unsigned bits)
{
    x.fw.ptr = bits & 1 ? 8 : 4;
    x.fw.isa = bits & 1 ? IMAGE_ISA_X64 : IMAGE_ISA_THUMB;
    x.fw.mpy_arch = bits & 1 ? MPY_ARCH_X64 : MPY_ARCH_ARMV7M;
    x.fw.float_kind = bits & 1 ? FW_FLOAT_F64 : FW_FLOAT_F32;
    x.profile.proto_fun = bits & 2;
    x.profile.mpy_sub_version = bits & 2 ? 3 : 2;
    x.fw.save = bits & 4 ? FW_YES : FW_NO;
    x.fw.settrace = (bits & 12) == 12 ? FW_YES : FW_NO;
    x.fw.debug_names = bits & 16 ? FW_YES : FW_NO;
    x.fw.objects[FW_FUN_TABLE] = FIX_TABLE;
    x.fw.image = fix_stock(&x);
}

static enum diag_code freeze_root(const struct mpy_code *root)
{
    struct freeze_input in = input(root);
    diag_init(&x.diag);
    return fix_freeze(&x, &in, 1);
}

Test(unfreeze_native, every_kind_in_every_layout)
{
    for (unsigned bits = 0; bits < 32; bits++) {
        struct mpy_module *m;
        set_layout(bits);
        cr_assert_eq(freeze_root(&body), DIAG_OK, "layout %u: %s", bits, x.diag.text);
        enum diag_code err = fix_unfreeze(&x, &x.arena, &x.diag, &m);
        if (x.fw.settrace == FW_YES && !x.profile.proto_fun) {
            cr_assert_eq(err, DIAG_MALFORMED, "layout %u", bits);
            cr_assert(strstr(x.diag.text, "settrace"), "%s", x.diag.text);
            continue;
        }
        cr_assert_eq(err, DIAG_OK, "layout %u: %s", bits, x.diag.text);
        same_code(&body, m->root, bits);
        cr_expect_eq(m->arch, x.fw.mpy_arch);
        cr_expect_eq(m->sub_version, x.profile.mpy_sub_version);
        // Which entries machine code uses is not known: all are kept.
        cr_expect_geq(m->n_qstr, 5, "layout %u", bits);
        cr_expect_geq(m->n_obj, 2, "layout %u", bits);
        cr_expect_str_eq(m->qstrs[4].data, "extra", "layout %u", bits);
    }
}

// Only a blob of ours says where the children of viper code end, unless the firmware stores it.
Test(unfreeze_native, children_of_stock_viper_code_are_read_where_their_number_is_stored)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        struct mpy_module *m;
        set_layout(bits);
        cr_assert_eq(freeze_root(&body), DIAG_OK, "layout %u: %s", bits, x.diag.text);
        x.stock = true;
        enum diag_code err = fix_unfreeze(&x, &x.arena, &x.diag, &m);
        cr_assert_eq(err, bits & 4 ? DIAG_OK : DIAG_MALFORMED, "layout %u", bits);
        cr_assert(!err || strstr(x.diag.text, "number is not stored"), "%s", x.diag.text);
        x.stock = false;
    }
}

Test(unfreeze_native, damage_is_refused_or_read_but_never_crashes)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        set_layout(bits);
        cr_assert_eq(freeze_root(&body), DIAG_OK, "layout %u: %s", bits, x.diag.text);
        fix_damage(&x);
    }
}

// --- natmods

// {destination << 1 | address follows, address << 1 | in rodata}. Of the text words 2 and 3 get the
// text's address, 4 the rodata's, 5 the qstr table's, 6 the objects', 7 mp_fun_table's, 8 that of
// the function in its entry 3; word 1 of the rodata gets the text's.
static const uint8_t relocs[] = {1 << 1 | 1, 2 << 1,  2,          2 << 1,     6 << 1, 7 << 1,
                                 8 << 1,     12 << 1, 0 << 1 | 1, 1 << 1 | 1, 0xff};

static struct mpy_code natmod(uint8_t *text, uint8_t *rodata, const uint8_t *list, uint32_t n)
{
    static struct mpy_machine machine;
    for (unsigned i = 0; i < 80; i++) {
        text[i] = i % x.fw.ptr ? 0 : (uint8_t)i; // what is in a word is added to
        rodata[i % 16] = i % x.fw.ptr ? 0 : 0x40;
    }
    machine = (struct mpy_machine){.scope_flags = 0x10 | 0x20,
                                   .rodata_size = 16,
                                   .rodata = rodata,
                                   .relocs_size = n,
                                   .relocs = list};
    return (struct mpy_code){.kind = MPY_CODE_VIPER, .data = text, .size = 80, .machine = &machine};
}

Test(unfreeze_native, natmods_come_back_as_they_were_in_their_file)
{
    for (unsigned bits = 0; bits < 8; bits++) {
        uint8_t text[80], rodata[16];
        struct mpy_module *m;
        set_layout(bits);
        struct mpy_code code = natmod(text, rodata, relocs, sizeof relocs);
        cr_assert_eq(freeze_root(&code), DIAG_OK, "layout %u: %s", bits, x.diag.text);
        enum diag_code err = fix_unfreeze(&x, &x.arena, &x.diag, &m);
        cr_assert_eq(err, DIAG_OK, "layout %u: %s", bits, x.diag.text);
        const struct mpy_machine *is = mpy_machine(m->root);
        cr_assert_eq(m->root->kind, MPY_CODE_VIPER);
        cr_assert_eq(m->root->size, sizeof text);
        cr_assert_arr_eq(m->root->data, text, sizeof text, "layout %u", bits);
        cr_assert_eq(is->rodata_size, sizeof rodata);
        cr_assert_arr_eq(is->rodata, rodata, sizeof rodata, "layout %u", bits);
        cr_assert_eq(is->relocs_size, sizeof relocs);
        cr_assert_arr_eq(is->relocs, relocs, sizeof relocs);
        cr_assert_eq(is->scope_flags & 0x30, 0x30);
    }
}

Test(unfreeze_native, damaged_natmods_are_refused_or_read_but_never_crash)
{
    uint8_t text[80], rodata[16];
    set_layout(2);
    struct mpy_code code = natmod(text, rodata, relocs, sizeof relocs);
    cr_assert_eq(freeze_root(&code), DIAG_OK, "%s", x.diag.text);
    fix_damage(&x);
}

// A word of the natmod's record, and what is said when it is another one.
static const struct {
    unsigned at;
    uint32_t value;
    const char *words;
} natmod_lies[] = {
    {4, 1 << 20, "sizes that make sense"},
    {8, 1 << 20, "sizes that make sense"},
    {12, UINT32_MAX, "sizes that make sense"},
    {4, 4096, "not in the image"},
    {16, 0x123, "not in the image"}, // rodata
    {20, 0x123, "not in the image"}, // relocations
    {4, 8, "back to its file"},      // a word behind the text
    {12, 4, "back to its file"},     // relocations without an end
};

Test(unfreeze_native, natmods_that_lie_are_refused)
{
    for (unsigned i = 0; i < sizeof natmod_lies / sizeof *natmod_lies; i++) {
        uint8_t text[80], rodata[16];
        struct mpy_module *m;
        set_layout(2);
        struct mpy_code code = natmod(text, rodata, relocs, sizeof relocs);
        cr_assert_eq(freeze_root(&code), DIAG_OK, "%s", x.diag.text);
        uint64_t record = fix_word(&x, fix_module(&x, 0, 2) + 8);
        st32(x.out->data + (record - FIX_ADDR) + natmod_lies[i].at, natmod_lies[i].value);
        cr_expect_eq(fix_unfreeze(&x, &x.arena, &x.diag, &m), DIAG_MALFORMED, "case %u", i);
        cr_expect(strstr(x.diag.text, natmod_lies[i].words), "case %u: %s", i, x.diag.text);
    }
}
