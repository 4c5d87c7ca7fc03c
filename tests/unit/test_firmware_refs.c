// The reference finders, each on a few instructions of its own machine.
#include <criterion/criterion.h>
#include <stdio.h>

#include "format/firmware/flow.h"

enum { CODE = 0x10000, TARGET = 0x20124, SIZE = 256 };

struct bench {
    struct arena arena;
    struct scan scan;
    struct image image;
    struct view_span spans[2];
    uint8_t code[SIZE], data[SIZE];
    struct ref_target targets[1];
    struct ref_sweep sweep;
};

static void bench_begin(struct bench *b, unsigned ptr)
{
    memset(b, 0, sizeof *b);
    arena_init(&b->arena, 1 << 20);
    b->spans[0] = (struct view_span){CODE, SIZE, b->code, 0, IMAGE_R | IMAGE_X};
    b->spans[1] = (struct view_span){TARGET & ~0xffu, SIZE, b->data, SIZE, IMAGE_R};
    b->scan.arena = &b->arena;
    b->scan.view = (struct view){.image = &b->image,
                                 .n = 2,
                                 .spans = b->spans,
                                 .ptr = ptr,
                                 .low = CODE,
                                 .high = (TARGET & ~0xffu) + SIZE,
                                 .total = 2 * SIZE};
    b->targets[0].addr = TARGET;
    b->sweep = (struct ref_sweep){.scan = &b->scan, .n = 1, .targets = b->targets};
}

static const struct fw_refs *bench_run(struct bench *b, const struct ref_isa *isa)
{
    struct diag d;
    diag_init(&d);
    cr_assert_eq(view_index(&b->scan.view, &b->arena, &d), DIAG_OK);
    isa->sweep(&b->sweep);
    return &b->targets[0].refs;
}

static void put(struct bench *b, unsigned at, uint32_t word)
{
    st32(b->code + at, word);
}

static void expect_one(const struct fw_refs *r, enum fw_ref_kind kind, uint64_t addr,
                       uint64_t addr2)
{
    cr_assert_eq(r->n, 1);
    cr_expect_eq(r->refs[0].kind, kind);
    cr_expect_eq(r->refs[0].addr, addr);
    cr_expect_eq(r->refs[0].addr2, addr2);
    cr_expect_eq(r->refs[0].target, TARGET);
}

Test(firmware_refs, thumb_literal_with_a_load)
{
    struct bench b;
    bench_begin(&b, 4);
    st16(b.code, 0xb510);     // push {r4, lr}
    st16(b.code + 2, 0x4b01); // ldr r3, [pc, #4]
    put(&b, 8, TARGET);
    put(&b, 64, TARGET); // nothing loads this one
    const struct fw_refs *r = bench_run(&b, &ref_thumb);
    expect_one(r, FW_REF_WORD, CODE + 8, 0);
    cr_expect_eq(r->refs[0].user, CODE + 2);
    arena_free(&b.arena);
}

Test(firmware_refs, thumb_movw_and_movt_apart)
{
    struct bench b;
    bench_begin(&b, 4);
    put(&b, 4, 0x1324f240);  // movw r3, #0x124: 0xf240 0x1324
    put(&b, 12, 0x0302f2c0); // movt r3, #2
    expect_one(bench_run(&b, &ref_thumb), FW_REF_MOVW_MOVT, CODE + 4, CODE + 12);
    arena_free(&b.arena);
}

Test(firmware_refs, thumb_anchor_with_an_offset)
{
    struct bench b;
    bench_begin(&b, 4);
    st16(b.code, 0xb510);
    st16(b.code + 2, 0x4b02); // ldr r3, [pc, #8]
    put(&b, 4, 0x0382eb03);   // add.w r3, r3, r2, lsl #2
    st16(b.code + 8, 0x6a58); // ldr r0, [r3, #36]
    put(&b, 12, TARGET - 36);
    const struct fw_refs *r = bench_run(&b, &ref_thumb);
    expect_one(r, FW_REF_WORD, CODE + 12, 0);
    cr_expect_eq(r->refs[0].addend, 36);
    arena_free(&b.arena);
}

Test(firmware_refs, arm_literal_and_pair)
{
    struct bench b;
    bench_begin(&b, 4);
    put(&b, 0, 0xe92d4010); // push {r4, lr}
    put(&b, 4, 0xe59f3004); // ldr r3, [pc, #4]
    put(&b, 16, TARGET);
    put(&b, 32, 0xe3003124); // movw r3, #0x124
    put(&b, 44, 0xe3403002); // movt r3, #2
    const struct fw_refs *r = bench_run(&b, &ref_arm);
    cr_assert_eq(r->n, 2);
    cr_expect_eq(r->refs[0].addr, CODE + 16);
    cr_expect_eq(r->refs[0].user, CODE + 4);
    cr_expect_eq(r->refs[1].kind, FW_REF_MOVW_MOVT);
    cr_expect_eq(r->refs[1].addr2, CODE + 44);
    arena_free(&b.arena);
}

Test(firmware_refs, aarch64_adrp_with_an_add_and_adr)
{
    struct bench b;
    bench_begin(&b, 8);
    put(&b, 0, 0x90000083);  // adrp x3, 0x20000
    put(&b, 8, 0x91049060);  // add x0, x3, #0x124
    put(&b, 16, 0x910490a0); // add x0, x5, #0x124: another register
    put(&b, 32, 0x10080820); // adr x0, 0x20124
    const struct fw_refs *r = bench_run(&b, &ref_aarch64);
    cr_assert_eq(r->n, 2);
    cr_expect_eq(r->refs[0].kind, FW_REF_ADRP_ADD);
    cr_expect_eq(r->refs[0].addr, CODE);
    cr_expect_eq(r->refs[0].addr2, CODE + 8);
    cr_expect_eq(r->refs[1].kind, FW_REF_ADR);
    cr_expect_eq(r->refs[1].addr, CODE + 32);
    arena_free(&b.arena);
}

Test(firmware_refs, riscv_lui_with_two_users_and_auipc)
{
    struct bench b;
    bench_begin(&b, 4);
    put(&b, 0, 0x000207b7);  // lui a5, 0x20
    put(&b, 4, 0x1247c703);  // lbu a4, 0x124(a5)
    put(&b, 8, 0x12478793);  // addi a5, a5, 0x124
    put(&b, 12, 0x00010517); // auipc a0, 0x10
    put(&b, 16, 0x11850513); // addi a0, a0, 0x118
    const struct fw_refs *r = bench_run(&b, &ref_rv32);
    cr_assert_eq(r->n, 3);
    cr_expect_eq(r->refs[0].kind, FW_REF_LUI_LO12);
    cr_expect_eq(r->refs[0].addr, CODE);
    cr_expect_eq(r->refs[0].addr2, CODE + 4);
    cr_expect_eq(r->refs[1].addr2, CODE + 8);
    cr_expect_eq(r->refs[2].kind, FW_REF_AUIPC_LO12);
    cr_expect_eq(r->refs[2].addr, CODE + 12);
    arena_free(&b.arena);
}

// A register that is written on every path to a later user is not what it was; behind a branch that
// leads past the write it may be.
static const struct {
    const struct ref_isa *isa;
    unsigned ptr;
    uint32_t high, write, user, fork;
} overwritten[] = {
    // lui s1, 0x20; lw s1, 0(s1); addi a3, s1, 0x124; beqz a0, +8
    {&ref_rv32, 4, 0x000204b7, 0x0004a483, 0x12448693, 0x00050463},
    // auipc s1, 0x10; ld s1, 0(s1); addi a3, s1, 0x120; jr a0
    {&ref_rv64, 8, 0x00010497, 0x0004b483, 0x12048693, 0x00050067},
    // adrp x3, 0x20000; ldr x3, [x3]; add x0, x3, #0x124; cbz x0, +8
    {&ref_aarch64, 8, 0x90000083, 0xf9400063, 0x91049060, 0xb4000040},
};

Test(firmware_refs, a_register_that_was_overwritten_is_no_half_of_a_pair)
{
    for (unsigned i = 0; i < sizeof overwritten / sizeof *overwritten; i++)
        for (unsigned fork = 0; fork < 2; fork++) {
            struct bench b;
            bench_begin(&b, overwritten[i].ptr);
            put(&b, 4, overwritten[i].high);
            put(&b, 8, fork ? overwritten[i].fork : 0x00000013);
            put(&b, 12, overwritten[i].write);
            put(&b, 16, overwritten[i].user);
            cr_expect_eq(bench_run(&b, overwritten[i].isa)->n, fork, "case %u, fork %u", i, fork);
            arena_free(&b.arena);
        }
}

Test(firmware_refs, xtensa_literal_before_its_users)
{
    struct bench b;
    bench_begin(&b, 4);
    put(&b, 0, TARGET);
    for (unsigned i = 4; i < SIZE; i += 3) { // nop.n would hide the alignment: use or a1, a1, a1
        memcpy(b.code + i, (uint8_t[]){0x10, 0x11, 0x20}, i + 3 <= SIZE ? 3 : SIZE - i);
    }
    memcpy(b.code + 4, (uint8_t[]){0x36, 0x41, 0x00}, 3); // entry a1, 32
    uint32_t at = 4 + 3 * 30, pc = (CODE + at + 3) & ~3u;
    uint32_t offset = ((CODE - pc) >> 2) & 0xffff;
    memcpy(b.code + at, (uint8_t[]){0x21, (uint8_t)offset, (uint8_t)(offset >> 8)}, 3);
    const struct fw_refs *r = bench_run(&b, &ref_xtensa);
    expect_one(r, FW_REF_WORD, CODE, 0);
    cr_expect_eq(r->refs[0].users, 1);
    cr_expect_eq(ref_xtensa.function(&b.scan.view, r->refs[0].user), CODE + 4);
    arena_free(&b.arena);
}

Test(firmware_refs, x86_64_relative_with_and_without_an_immediate)
{
    struct bench b;
    bench_begin(&b, 8);
    b.image.pic = true;
    memcpy(b.code + 16, (uint8_t[]){0x48, 0x8d, 0x05}, 3); // lea rax, [rip + target]
    put(&b, 19, TARGET - (CODE + 23));
    memcpy(b.code + 32, (uint8_t[]){0x80, 0x3d}, 2); // cmpb [rip + target], 0
    put(&b, 34, TARGET - (CODE + 39));
    const struct fw_refs *r = bench_run(&b, &ref_x64);
    cr_assert_eq(r->n, 2);
    cr_expect_eq(r->refs[0].addr, CODE + 19);
    cr_expect_eq(r->refs[0].next, CODE + 23);
    cr_expect_eq(r->refs[1].addr, CODE + 34);
    cr_expect_eq(r->refs[1].next, CODE + 39);
    arena_free(&b.arena);
}

Test(firmware_refs, x86_absolute)
{
    struct bench b;
    bench_begin(&b, 4);
    b.code[7] = 0xbb; // mov ebx, target
    put(&b, 8, TARGET);
    expect_one(bench_run(&b, &ref_x86), FW_REF_ABS32, CODE + 8, 0);
    arena_free(&b.arena);
}

// What an instruction does with a register that holds an address near to the target: encodings, and
// how far from that address they look.
static const struct {
    const char *hex, *text;
    int32_t addend; // 0: this is no reference
} anchor_uses[] = {
    {"5879", "ldrb r0, [r3, #5]", 5},
    {"9868", "ldr r0, [r3, #8]", 8},
    {"581d", "adds r0, r3, #5", 5},
    {"d81e", "subs r0, r3, #3", -3},
    {"c833", "adds r3, #200", 200},
    {"643b", "subs r3, #100", -100},
    {"d3f8c800", "ldr.w r0, [r3, #200]", 200},
    {"93f82c01", "ldrb.w r0, [r3, #300]", 300},
    {"53f8280c", "ldr r0, [r3, #-40]", -40},
    {"13f8140c", "ldrb r0, [r3, #-20]", -20},
    {"03f2e930", "addw r0, r3, #1001", 1001},
    {"a3f2f510", "subw r0, r3, #501", -501},
    {"03f5c870", "add.w r0, r3, #400", 400},
    {"03f12c00", "add.w r0, r3, #44", 44},
    {"a3f50070", "sub.w r0, r3, #512", -512},
    {"19468868", "mov r1, r3; ldr r0, [r1, #8]", 8},
    {"19448868", "add r1, r3; ldr r0, [r1, #8]", 8},
    {"99188868", "adds r1, r3, r2; ldr r0, [r1, #8]", 8},
    {"02eb83018868", "add.w r1, r2, r3, lsl #2; ldr r0, [r1, #8]", 8},
    {"00239868", "movs r3, #0; ldr r0, [r3, #8]", 0},
    {"00f004f89868", "bl; ldr r0, [r3, #8]", 0},
    {"02eb81039868", "add.w r3, r2, r1, lsl #2; ldr r0, [r3, #8]", 0},
    {"03f11010", "add.w r0, r3, #0x100010", 0},
    {"8868", "ldr r0, [r1, #8]", 0},
};

static unsigned put_hex(struct bench *b, unsigned at, const char *hex)
{
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        b->code[at++] = (uint8_t)byte;
    }
    return at;
}

Test(firmware_refs, thumb_anchors_by_every_instruction_that_uses_one)
{
    for (unsigned i = 0; i < 2 * sizeof anchor_uses / sizeof *anchor_uses; i++) {
        struct bench b;
        int32_t addend = anchor_uses[i / 2].addend;
        bench_begin(&b, 4);
        put_hex(&b, 0, "10b5");
        put_hex(&b, put_hex(&b, 2, i % 2 ? "dff82c30" : "0b4b"), anchor_uses[i / 2].hex);
        put(&b, 48, TARGET - (uint32_t)(addend ? addend : 8)); // ldr r3, [pc, #44]
        const struct fw_refs *r = bench_run(&b, &ref_thumb);
        cr_assert_eq(r->n, addend != 0, "%s", anchor_uses[i / 2].text);
        if (addend) {
            cr_expect_eq(r->refs[0].addr, CODE + 48);
            cr_expect_eq(r->refs[0].addend, addend, "%s", anchor_uses[i / 2].text);
        }
        arena_free(&b.arena);
    }
}

Test(firmware_refs, thumb_anchors_live_through_calls_in_high_registers_and_in_front_of_code)
{
    struct bench b;
    bench_begin(&b, 4);
    put(&b, 0, TARGET - 8);
    put_hex(&b, 8, "5ff80c40"); // ldr.w r4, [pc, #-12]
    put_hex(&b, 12, "00f004f8a068");
    const struct fw_refs *r = bench_run(&b, &ref_thumb);
    cr_assert_eq(r->n, 1);
    cr_expect_eq(r->refs[0].addr, CODE);
    cr_expect_eq(r->refs[0].addend, 8);
    arena_free(&b.arena);
}

// A program header with a dynamic section that names the GOT.
static void make_pic(struct bench *b, uint8_t file[128], uint32_t got)
{
    enum { PHDR = 64, DYNAMIC = 0x40 };
    memset(file, 0, 128);
    st32(file + 28, PHDR);
    st16(file + 44, 1);
    st32(file + PHDR, 2); // PT_DYNAMIC
    st32(file + PHDR + 8, (TARGET & ~0xffu) + DYNAMIC);
    st32(b->data + DYNAMIC, got ? VIEW_DT_PLTGOT : 5);
    st32(b->data + DYNAMIC + 4, got);
    b->image.kind = IMAGE_ELF;
    b->image.pic = true;
    b->image.file = file;
    b->image.file_size = 128;
}

// Literals to which the pc is added: load, sum, literal, and where the pc is then.
static const struct {
    const char *load, *sum;
    unsigned at, sum_at, literal, pc;
} pic_forms[] = {
    {"034b", "7b44", 0, 6, 16, 6 + 4},                // ldr r3, [pc, #12]; add r3, pc
    {"dff80c80", "f844", 4, 12, 20, 12 + 4},          // ldr.w r8, [pc, #12]; add r8, pc
    {"5ff80c30", "7b44", 12, 20, 4, 20 + 4},          // ldr.w r3, [pc, #-12]; add r3, pc
    {"08309fe5", "03308fe0", 32, 40, 48, 40 + 8},     // A32: ldr r3, [pc, #8]; add r3, pc, r3
    {"10301fe5", "03308fe0", 64, 72, 64 - 8, 72 + 8}, // A32: ldr r3, [pc, #-16]
};

Test(firmware_refs, arm_literals_relative_to_the_pc)
{
    for (unsigned i = 0; i < sizeof pic_forms / sizeof *pic_forms; i++) {
        struct bench b;
        uint8_t file[128];
        bench_begin(&b, 4);
        make_pic(&b, file, 0);
        put_hex(&b, pic_forms[i].at, pic_forms[i].load);
        put_hex(&b, pic_forms[i].sum_at, pic_forms[i].sum);
        put(&b, pic_forms[i].literal, TARGET - (CODE + pic_forms[i].pc));
        const struct fw_refs *r = bench_run(&b, &ref_arm);
        expect_one(r, FW_REF_PCREL_WORD, CODE + pic_forms[i].literal, 0);
        cr_expect_eq(r->refs[0].next, CODE + pic_forms[i].pc, "form %u", i);
        cr_expect_eq(r->refs[0].user, CODE + pic_forms[i].at, "form %u", i);
        arena_free(&b.arena);
    }
}

// Literals that count from the GOT base: the load, and the literal.
static const struct {
    const char *load;
    unsigned at, literal;
} got_forms[] = {
    {"034b", 0, 16},     // ldr r3, [pc, #12]
    {"08309fe5", 4, 20}, // A32: ldr r3, [pc, #8]
    {"10301fe5", 16, 8}, // A32: ldr r3, [pc, #-16]
};

Test(firmware_refs, arm_literals_relative_to_the_got)
{
    for (unsigned i = 0; i < sizeof got_forms / sizeof *got_forms; i++) {
        struct bench b;
        uint8_t file[128];
        bench_begin(&b, 4);
        make_pic(&b, file, 0x30000);
        put_hex(&b, got_forms[i].at, got_forms[i].load);
        put(&b, got_forms[i].literal, TARGET - 0x30000);
        const struct fw_refs *r = bench_run(&b, &ref_arm);
        expect_one(r, FW_REF_PCREL_WORD, CODE + got_forms[i].literal, 0);
        cr_expect_eq(r->refs[0].next, 0x30000, "form %u", i);
        cr_expect_eq(r->refs[0].user, CODE + got_forms[i].at, "form %u", i);
        arena_free(&b.arena);
    }
}

Test(firmware_refs, x86_relative_to_the_got)
{
    struct bench b;
    uint8_t file[128];
    bench_begin(&b, 4);
    make_pic(&b, file, 0x30000);
    put_hex(&b, 8, "8d83"); // lea eax, [ebx + disp32]
    put(&b, 10, TARGET - 0x30000);
    put_hex(&b, 32, "8b8493"); // mov eax, [ebx + edx * 4 + disp32]
    put(&b, 35, TARGET - 0x30000);
    put_hex(&b, 64, "8d03"); // no displacement
    put(&b, 66, TARGET - 0x30000);
    const struct fw_refs *r = bench_run(&b, &ref_x86);
    cr_assert_eq(r->n, 2);
    cr_expect_eq(r->refs[0].kind, FW_REF_GOTOFF32);
    cr_expect_eq(r->refs[0].addr, CODE + 10);
    cr_expect_eq(r->refs[0].next, 0x30000);
    cr_expect_eq(r->refs[1].addr, CODE + 35);
    arena_free(&b.arena);
}

// Loads of the word of the GOT at which the address of the target is: what stands in front of the
// displacement, where the word is from the GOT base, and whether the instruction surely uses it.
static const struct {
    const char *hex;
    int offset;
    bool user;
} got_words[] = {
    {"8b83", 0x400, true},    // mov eax, [ebx + n]
    {"8b93", -0x400, true},   // mov edx, [ebx - n]
    {"8b81", -0x400, true},   // mov eax, [ecx - n]
    {"8b81", 0x400, false},   // mov eax, [ecx + n]: a member of a structure
    {"8b85", -0x400, false},  // mov eax, [ebp - n]: a local variable
    {"8b8424", 0x400, false}, // mov eax, [esp + n]
    {"8983", 0x400, false},   // mov [ebx + n], eax
};

Test(firmware_refs, x86_words_of_the_got)
{
    for (unsigned i = 0; i < sizeof got_words / sizeof *got_words; i++) {
        struct bench b;
        uint8_t file[128];
        unsigned n = (unsigned)strlen(got_words[i].hex) / 2;
        uint32_t got = TARGET - (uint32_t)got_words[i].offset;
        bench_begin(&b, 4);
        make_pic(&b, file, got);
        struct ref_target both[2] = {{.addr = TARGET, .slot_of = TARGET + 4}, {.addr = TARGET + 4}};
        b.sweep.targets = both;
        b.sweep.n = 2;
        put_hex(&b, 8, "8b85"); // a local variable of the same offset, in front of it
        put(&b, 10, (uint32_t)got_words[i].offset);
        put_hex(&b, 32, got_words[i].hex);
        put(&b, 32 + n, (uint32_t)got_words[i].offset);
        bench_run(&b, &ref_x86);
        const struct fw_refs *r = &both[1].refs;
        cr_assert_eq(r->n, 1, "form %u", i);
        cr_expect_eq(r->refs[0].kind, FW_REF_WORD_RELATIVE, "form %u", i);
        cr_expect_eq(r->refs[0].addr, TARGET, "form %u", i);
        cr_expect_eq(r->refs[0].user, got_words[i].user ? CODE + 32 + n : 0, "form %u", i);
        arena_free(&b.arena);
    }
}

// Instructions with an operand relative to the end of the instruction: what stands in front of the
// displacement, and how many bytes of immediate behind it; -1: no such instruction.
static const struct {
    const char *hex;
    int immediate;
} rip_forms[] = {
    {"8b05", 0},  {"8905", 0},  {"8d15", 0},   {"3b05", 0},   {"6305", 0},    {"ff35", 0},
    {"8505", 0},  {"8705", 0},  {"c605", 1},   {"803d", 1},   {"830d", 1},    {"6b05", 1},
    {"c105", 1},  {"813d", 4},  {"c705", 4},   {"6905", 4},   {"f605", 1},    {"f615", 0},
    {"f705", 4},  {"f71d", 0},  {"0fb605", 0}, {"0f1005", 0}, {"0f3805", -1}, {"0f0505", -1},
    {"9a05", -1}, {"c805", -1}, {"8b04", -1},
};

Test(firmware_refs, x86_64_relative_to_the_end_of_every_form)
{
    for (unsigned i = 0; i < sizeof rip_forms / sizeof *rip_forms; i++) {
        struct bench b;
        int imm = rip_forms[i].immediate;
        bench_begin(&b, 8);
        b.image.pic = true;
        unsigned at = put_hex(&b, 16, rip_forms[i].hex);
        uint32_t end = CODE + at + 4 + (uint32_t)(imm > 0 ? imm : 0);
        put(&b, at, TARGET - end);
        const struct fw_refs *r = bench_run(&b, &ref_x64);
        cr_assert_eq(r->n, imm >= 0, "%s", rip_forms[i].hex);
        if (imm >= 0) {
            cr_expect_eq(r->refs[0].kind, FW_REF_RIP32);
            cr_expect_eq(r->refs[0].addr, CODE + at);
            cr_expect_eq(r->refs[0].next, end, "%s", rip_forms[i].hex);
        }
        arena_free(&b.arena);
    }
}

Test(firmware_refs, x86_64_absolute_in_programs_at_a_fixed_address)
{
    struct bench b;
    bench_begin(&b, 8);
    put_hex(&b, 31, "bf"); // mov edi, target
    put(&b, 32, TARGET);
    expect_one(bench_run(&b, &ref_x64), FW_REF_ABS32, CODE + 32, 0);
    arena_free(&b.arena);
}

// Loads and stores count in their own size.
static const struct {
    uint32_t insn; // with x3 + 0x120
    unsigned target;
} a64_forms[] = {
    {0x39448060, 0x120}, // ldrb w0, [x3, #0x120]
    {0xb9412060, 0x120}, // ldr w0, [x3, #0x120]
    {0xf9409060, 0x120}, // ldr x0, [x3, #0x120]
    {0xf9009060, 0x120}, // str x0, [x3, #0x120]
    {0xfd409060, 0x120}, // ldr d0, [x3, #0x120]
    {0x3dc04860, 0x120}, // ldr q0, [x3, #0x120]
    {0x3dc04860, 0x240}, // not that one
};

// Code at a fixed address that loads an address from a word.
static const struct {
    enum image_machine isa;
    uint32_t code[2];
    unsigned n; // references found
} word_loads[] = {
    {IMAGE_ISA_AARCH64, {0x90000080, 0xf940a000}, 1}, // adrp x0, page; ldr x0, [x0, #0x140]
    {IMAGE_ISA_RV64, {0x00010517, 0x14053503}, 1},    // auipc a0, 0x10; ld a0, 0x140(a0)
    {IMAGE_ISA_RV32, {0x00010517, 0x14052503}, 0},    // lw: 32-bit code has the address itself
};

Test(firmware_refs, words_that_hold_addresses_at_fixed_ones)
{
    enum { WORD = 0x20140, HELD = 0x20148 };
    for (unsigned i = 0; i < sizeof word_loads / sizeof *word_loads; i++) {
        struct bench b;
        struct diag d;
        struct firmware fw = {.isa = word_loads[i].isa};
        bench_begin(&b, word_loads[i].isa == IMAGE_ISA_RV32 ? 4 : 8);
        diag_init(&d);
        b.scan.fw = &fw;
        b.scan.diag = &d;
        put(&b, 0, word_loads[i].code[0]);
        put(&b, 4, word_loads[i].code[1]);
        st32(b.data + (WORD & 0xff), HELD);
        cr_assert_eq(view_index(&b.scan.view, &b.arena, &d), DIAG_OK);
        struct ref_sweep r = {.scan = &b.scan, .n = 1};
        r.targets = ARENA_ARRAY(&b.arena, struct ref_target, 1);
        r.targets[0].addr = HELD;
        cr_assert_eq(ref_sweep_targets(&b.scan, &r), DIAG_OK);
        struct fw_refs refs = ref_take(&r, HELD);
        cr_assert_eq(refs.n, word_loads[i].n, "form %u", i);
        if (refs.n) {
            cr_expect_eq(refs.refs[0].kind, FW_REF_WORD, "form %u", i);
            cr_expect_eq(refs.refs[0].addr, WORD, "form %u", i);
        }
        arena_free(&b.arena);
    }
}

Test(firmware_refs, aarch64_loads_of_every_size)
{
    for (unsigned i = 0; i < sizeof a64_forms / sizeof *a64_forms; i++) {
        struct bench b;
        bench_begin(&b, 8);
        b.targets[0].addr = 0x20000 + a64_forms[i].target;
        put(&b, 0, 0x90000083); // adrp x3, 0x20000
        put(&b, 8, a64_forms[i].insn);
        const struct fw_refs *r = bench_run(&b, &ref_aarch64);
        cr_assert_eq(r->n, a64_forms[i].target == 0x120, "form %u", i);
        cr_expect(!r->n || r->refs[0].addr2 == CODE + 8);
        arena_free(&b.arena);
    }
}

// A register that was written since, or that a call may change, is the address for some
// instructions more if a branch may lead past that: they may be reached on another path.
static const struct {
    const struct ref_isa *isa;
    unsigned ptr;
    uint32_t high, branch, between, low;
    unsigned at;
    bool found;
} stale[] = {
    // adrp x3; cbz x0; ...; add x0, x3, #0x124
    {&ref_aarch64, 8, 0x90000083, 0xb4000040, 0xaa0103e3, 0x91049060, 0x40, true},  // mov x3, x1
    {&ref_aarch64, 8, 0x90000083, 0xb4000040, 0xaa0103e3, 0x91049060, 0x90, false}, // too far
    {&ref_aarch64, 8, 0x90000083, 0xd503201f, 0xaa0103e3, 0x91049060, 0x40, false}, // no branch
    {&ref_aarch64, 8, 0x90000083, 0xb4000040, 0xf9400023, 0x91049060, 0x90, false}, // ldr x3, [x1]
    {&ref_aarch64, 8, 0x90000083, 0xb4000040, 0x94000002, 0x91049060, 0x40, true},  // bl
    {&ref_aarch64, 8, 0x90000083, 0xb4000040, 0x94000002, 0x91049060, 0x90, false},
    {&ref_aarch64, 8, 0x90000083, 0xd503201f, 0xd63f0000, 0x91049060, 0x40, false}, // blr x0
    {&ref_aarch64, 8, 0x90000093, 0xd503201f, 0x94000002, 0x91049260, 0x90,
     true}, // x19 outlives it
    // lui a5; beqz zero; ...; addi a0, a5, 0x124
    {&ref_rv32, 4, 0x000207b7, 0x00000463, 0x00100793, 0x12478513, 0x20, true},  // li a5, 1
    {&ref_rv32, 4, 0x000207b7, 0x00000463, 0x00100793, 0x12478513, 0x50, false}, // too far
    {&ref_rv32, 4, 0x000207b7, 0x00000013, 0x00100793, 0x12478513, 0x20, false}, // no branch
    {&ref_rv32, 4, 0x000207b7, 0x00000463, 0x004000ef, 0x12478513, 0x20, true},  // jal ra
    {&ref_rv32, 4, 0x000207b7, 0x00000463, 0x004000ef, 0x12478513, 0x50, false},
    {&ref_rv32, 4, 0x000207b7, 0x00000013, 0x00019782, 0x12478513, 0x20, false}, // c.jalr a5
    {&ref_rv32, 4, 0x000204b7, 0x00000013, 0x004000ef, 0x12448513, 0x50, true},  // s1 outlives it
    {&ref_rv32, 4, 0x000207b7, 0x00000013, 0x00e7a023, 0x12478513, 0x50, true},  // sw: writes none
};

Test(firmware_refs, registers_that_were_written_since)
{
    for (unsigned i = 0; i < sizeof stale / sizeof *stale; i++) {
        struct bench b;
        bench_begin(&b, stale[i].ptr);
        for (unsigned at = 0; at < SIZE; at += 4) {
            put(&b, at, stale[i].isa == &ref_aarch64 ? 0xd503201f : 0x00000013); // nop
        }
        put(&b, 0, stale[i].high);
        put(&b, 4, stale[i].branch);
        put(&b, 8, stale[i].between);
        put(&b, stale[i].at, stale[i].low);
        const struct fw_refs *r = bench_run(&b, stale[i].isa);
        cr_expect_eq(r->n, stale[i].found, "case %u", i);
        arena_free(&b.arena);
    }
}

// A function that another one calls, and an instruction in the middle of it behind a branch.
static const struct {
    const struct ref_isa *isa;
    unsigned ptr, start, user, caller; // offsets; caller calls start
    uint8_t code[40];
} functions[] = {
    // ret; push rbx; test edi, edi; jne +4; xor eax, eax; pop rbx; ret; lea rax, [rip]; pop; ret
    {&ref_x64, 8, 1, 12, 20, {0xc3, 0x53, 0x85, 0xff, 0x75, 0x04, 0x31, 0xc0, 0x5b,
                              0xc3, 0x48, 0x8d, 0x05, 0,    0,    0,    0,    0x5b,
                              0xc3, 0x90, 0xe8, 0xe8, 0xff, 0xff, 0xff, 0xc3}},
    {&ref_x86, 4, 1, 12, 20, {0xc3, 0x53, 0x85, 0xff, 0x75, 0x04, 0x31, 0xc0, 0x5b,
                              0xc3, 0x8d, 0x83, 0x10, 0,    0,    0,    0x5b, 0xc3,
                              0x90, 0x90, 0xe8, 0xe8, 0xff, 0xff, 0xff, 0xc3}},
    // ret; cbz x0, +8; ret; adrp x0; ret; bl
    {&ref_aarch64, 8, 4, 12, 20, {0xc0, 0x03, 0x5f, 0xd6, 0x40, 0x00, 0x00, 0xb4,
                                  0xc0, 0x03, 0x5f, 0xd6, 0x00, 0x00, 0x00, 0x90,
                                  0xc0, 0x03, 0x5f, 0xd6, 0xfc, 0xff, 0xff, 0x97}},
    // ret; c.beqz a0, +4; ret; lui a0; ret; jal ra
    {&ref_rv64,
     8,
     2,
     6,
     12,
     {0x82, 0x80, 0x11, 0xc1, 0x82, 0x80, 0x37, 0x05, 0x02, 0x00, 0x82, 0x80, 0xef, 0xf0, 0x7f,
      0xff}},
};

Test(firmware_refs, functions_by_their_calls_and_branches)
{
    for (unsigned i = 0; i < sizeof functions / sizeof *functions; i++) {
        struct bench b;
        struct flow_user user = {.at = CODE + functions[i].user};
        struct diag d;
        diag_init(&d);
        bench_begin(&b, functions[i].ptr);
        memcpy(b.code, functions[i].code, sizeof functions[i].code);
        cr_assert_eq(view_index(&b.scan.view, &b.arena, &d), DIAG_OK);
        flow_functions(&b.scan.view, functions[i].isa, &user, 1);
        cr_expect_eq(user.function, CODE + functions[i].start, "case %u: 0x%llx", i,
                     (unsigned long long)user.function);
        uint64_t end = flow_end(&b.scan.view, functions[i].isa, user.function);
        cr_expect_leq(end, CODE + functions[i].caller, "case %u: 0x%llx", i,
                      (unsigned long long)end);
        user.at = CODE; // the function before: nothing calls it
        flow_functions(&b.scan.view, functions[i].isa, &user, 1);
        cr_expect_eq(user.function, 0);
        arena_free(&b.arena);
    }
}

// A word that happens to be the address of code inside of a function begins none; behind a call
// that may not return, and behind padding, one begins.
Test(firmware_refs, a_number_that_looks_like_a_pointer_into_a_function_begins_none)
{
    enum { POINTED = 8, USER = 10, WORD = 64 };
    static const struct {
        uint8_t code[20];
        unsigned start;
    } cases[] = {
        // push; movs r0; movs r1; ldrb; ldrb (pointed); movs; pop; b.n; bl the first
        {{0x00, 0xb5, 0x01, 0x20, 0x02, 0x21, 0x08, 0x78, 0x08, 0x78,
          0x03, 0x20, 0x00, 0xbd, 0xfe, 0xe7, 0xff, 0xf7, 0xf6, 0xff},
         0},
        // push; movs r0; bl; push (pointed); ...
        {{0x00, 0xb5, 0x01, 0x20, 0x00, 0xf0, 0x10, 0xf8, 0x00, 0xb5,
          0x03, 0x20, 0x00, 0xbd, 0xfe, 0xe7, 0xff, 0xf7, 0xf6, 0xff},
         POINTED},
        // push; bl; nop; push (pointed); ...
        {{0x00, 0xb5, 0x00, 0xf0, 0x10, 0xf8, 0x00, 0xbf, 0x00, 0xb5,
          0x03, 0x20, 0x00, 0xbd, 0xfe, 0xe7, 0xff, 0xf7, 0xf6, 0xff},
         POINTED},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench b;
        struct flow_user user = {.at = CODE + USER};
        struct diag d;
        diag_init(&d);
        bench_begin(&b, 4);
        memcpy(b.code, cases[i].code, sizeof cases[i].code);
        put(&b, WORD, CODE + POINTED + 1);
        cr_assert_eq(view_index(&b.scan.view, &b.arena, &d), DIAG_OK);
        flow_functions(&b.scan.view, &ref_thumb, &user, 1);
        cr_expect_eq(user.function, CODE + cases[i].start, "case %u: 0x%llx", i,
                     (unsigned long long)user.function);
        arena_free(&b.arena);
    }
}
