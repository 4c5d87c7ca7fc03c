// What RISC-V start-up code writes to the registers of memory protection, read from its
// instructions: each form of making a value, and each form of a range. The encodings are an
// assembler's.
#include <criterion/criterion.h>
#include <stdlib.h>

#include "format/bytes.h"
#include "format/firmware/scan.h"

enum { PMP_CODE = 0x42000000, PMP_UNKNOWN = 1, PMP_LOCKED = 0x80, PMP_EXECUTE = 4 };

struct pmp_case {
    const char *hex, *text; // makes a value in a5
    uint32_t value;
};

static const struct pmp_case pmp_cases[] = {
    {"b707010093874700", "lui a5, 0x10; addi a5, a5, 4", 0x10004},
    {"c1679107", "c.lui a5, 0x10; c.addi a5, 4", 0x10004},
    {"8547d207", "c.li a5, 1; c.slli a5, 20", 0x100000},
    {"37070100ba87", "lui a4, 0x10; c.mv a5, a4", 0x10000},
    {"370701009147ba97", "lui a4, 0x10; c.li a5, 4; c.add a5, a4", 0x10004},
    {"b70701008983", "lui a5, 0x10; c.srli a5, 2", 0x4000},
    {"b707f0ff9187", "lui a5, 0xfff00; c.srai a5, 4", 0xffff0000},
    {"b70701009387f700e19b", "lui a5, 0x10; addi a5, a5, 15; c.andi a5, -8", 0x10008},
    {"b70701001147998f", "lui a5, 0x10; c.li a4, 4; c.sub a5, a4", 0xfffc},
    {"b70701007d57b98f", "lui a5, 0x10; c.li a4, -1; c.xor a5, a4", 0xfffeffff},
    {"b70701001547d98f", "lui a5, 0x10; c.li a4, 5; c.or a5, a4", 0x10005},
    {"b70701007d57f98f", "lui a5, 0x10; c.li a4, -1; c.and a5, a4", 0x10000},
    {"b7070100810793971700", "lui a5, 0x10; c.addi a5, 0; slli a5, a5, 1", 0x20000},
    {"b707010093c71700", "lui a5, 0x10; xori a5, a5, 1", 0x10001},
    {"b707010093e77700", "lui a5, 0x10; ori a5, a5, 7", 0x10007},
    {"b707010093f7f7ff", "lui a5, 0x10; andi a5, a5, -1", 0x10000},
    {"b707f0ff93d74740", "lui a5, 0xfff00; srai a5, a5, 4", 0xffff0000},
    {"b707f0ff93d74700", "lui a5, 0xfff00; srli a5, a5, 4", 0xfff0000},
    {"b70701001147b387e740", "lui a5, 0x10; c.li a4, 4; sub a5, a5, a4", 0xfffc},
    {"b70701001147b397e700", "lui a5, 0x10; c.li a4, 4; sll a5, a5, a4", 0x100000},
    {"97070100", "auipc a5, 0x10", PMP_CODE + 0x10000},
    {"37040100ef000010a287", "lui s0, 0x10; jal ra, 256; c.mv a5, s0", 0x10000},
    {"370401000122a287", "lui s0, 0x10; c.jal 256; c.mv a5, s0", 0x10000},
    {"b70701002320f1003ec01cc363100510",
     "lui a5, 0x10; sw a5, 0(sp); c.swsp a5, 0(sp); c.sw a5, 0(a4); bnez a0, 256", 0x10000},
    {"b70701000247144130003971",
     "lui a5, 0x10; c.lwsp a4, 0(sp); c.lw a3, 0(a0); c.addi4spn a2, sp, 8; c.addi16sp sp, -64",
     0x10000},
    {"b70701001c41", "lui a5, 0x10; c.lw a5, 0(a0)", PMP_UNKNOWN},
    {"b70701008247", "lui a5, 0x10; c.lwsp a5, 0(sp)", PMP_UNKNOWN},
    {"b707010083270500", "lui a5, 0x10; lw a5, 0(a0)", PMP_UNKNOWN},
    {"b70701003c00", "lui a5, 0x10; c.addi4spn a5, sp, 8", PMP_UNKNOWN},
    {"b7070100b387f702", "lui a5, 0x10; mul a5, a5, a5", PMP_UNKNOWN},
    {"b707010093a71700", "lui a5, 0x10; slti a5, a5, 1", PMP_UNKNOWN},
    {"b7070100b3b7f700", "lui a5, 0x10; sltu a5, a5, a5", PMP_UNKNOWN},
    {"b7070100b387a700", "lui a5, 0x10; add a5, a5, a0", PMP_UNKNOWN},
    {"b7070100aa97", "lui a5, 0x10; c.add a5, a0", PMP_UNKNOWN},
    {"b7070100aa87", "lui a5, 0x10; c.mv a5, a0", PMP_UNKNOWN},
    {"b7070100e98f", "lui a5, 0x10; c.and a5, a0", PMP_UNKNOWN},
    {"b7070100ef000010", "lui a5, 0x10; jal ra, 256", PMP_UNKNOWN},
    {"370401006f004000a287", "lui s0, 0x10; j 4; c.mv a5, s0", PMP_UNKNOWN},
    {"b707010063130500010013070700", "lui a5, 0x10; bnez a0, 6; c.nop; addi a4, a4, 0",
     PMP_UNKNOWN},
    {"b7070100f3270030", "lui a5, 0x10; csrr a5, mstatus", PMP_UNKNOWN},
    {"b7070100f327103b", "lui a5, 0x10; csrr a5, pmpaddr1", PMP_UNKNOWN},
    {"93070100", "mv a5, sp", PMP_UNKNOWN},
};

enum { PMP_CASES = sizeof pmp_cases / sizeof *pmp_cases };

static void put_hex(struct bytes_out *code, const char *hex)
{
    for (; *hex; hex += 2) {
        bytes_put_u8(code, (uint8_t)strtol((char[]){hex[0], hex[1], 0}, NULL, 16));
    }
}

static void put_address(struct bytes_out *code, unsigned entry, unsigned rs)
{
    bytes_put_u32(code, (0x3b0 + entry) << 20 | rs << 15 | 0x1073); // csrw pmpaddr, rs
}

// The rest of a function that writes the first address: the others, which are off, the first
// configurations, and the end.
static void put_rest(struct bytes_out *code, uint16_t configs)
{
    for (unsigned entry = 2; entry < 6; entry++) {
        put_address(code, entry, 0);
    }
    bytes_put_u32(code, ((configs + 0x800u) & 0xfffff000u) | 0x737);  // lui a4
    bytes_put_u32(code, (uint32_t)(configs & 0xfff) << 20 | 0x70713); // addi a4, a4
    bytes_put_u32(code, 0x3a071073);                                  // csrw pmpcfg0, a4
    bytes_put_u32(code, 0x00008067);                                  // ret
}

static enum fw_tri allows(const struct bytes_out *code, uint64_t from, uint64_t to)
{
    struct view_span span = {PMP_CODE, code->size, code->data, 0, IMAGE_R | IMAGE_X};
    struct scan s = {
        .view = {.n = 1, .spans = &span, .ptr = 4, .low = PMP_CODE, .high = PMP_CODE + code->size}};
    return pmp_allows_running(&s, from, to);
}

Test(pmp, values_are_followed_to_the_registers)
{
    for (unsigned i = 0; i < PMP_CASES; i++) {
        const struct pmp_case *c = &pmp_cases[i];
        uint64_t end = (uint64_t)c->value << 2;
        struct bytes_out code;
        bytes_out_init(&code);
        put_hex(&code, c->hex);
        put_address(&code, 0, 15);
        put_rest(&code, PMP_LOCKED | 8); // nothing runs below
        bool known = c->value != PMP_UNKNOWN;
        cr_expect_eq(allows(&code, end, end + 4), known ? FW_YES : FW_UNKNOWN, "%s", c->text);
        cr_expect_eq(allows(&code, end - 4, end), known ? FW_NO : FW_UNKNOWN, "%s", c->text);
        bytes_out_free(&code);
    }
}

// Ranges of all kinds; the first address is that of 0x10000, the second 0x20000.
Test(pmp, ranges_of_all_modes)
{
    static const struct {
        uint16_t configs; // of the first and the second entry
        uint64_t from, to;
        enum fw_tri allowed;
    } cases[] = {
        {PMP_LOCKED | 8, 0x10000, 0x10004, FW_YES}, // top of range
        {PMP_LOCKED | 8, 0, 4, FW_NO},
        {PMP_LOCKED | 8 | PMP_EXECUTE, 0, 4, FW_YES},
        {8, 0, 4, FW_YES},                                // binds only what is no machine mode
        {(PMP_LOCKED | 8) << 8, 0x10000, 0x10004, FW_NO}, // from the first address to the second
        {(PMP_LOCKED | 8) << 8, 0x1fffc, 0x20004, FW_NO},
        {(PMP_LOCKED | 8) << 8, 0xfffc, 0x10000, FW_YES},
        {(PMP_LOCKED | 8) << 8, 0x20000, 0x20004, FW_YES},
        {PMP_LOCKED | 0x10, 0x10000, 0x10004, FW_NO}, // four bytes
        {PMP_LOCKED | 0x10, 0x10004, 0x10008, FW_YES},
        {PMP_LOCKED | 0x10, 0xfffc, 0x10000, FW_YES},
        {PMP_LOCKED | 0x18, 0x10004, 0x10008, FW_NO}, // eight: a power of two
        {PMP_LOCKED | 0x18, 0x10008, 0x1000c, FW_YES},
        {PMP_LOCKED | 8 | PMP_EXECUTE | (PMP_LOCKED | 8) << 8, 0xfffc, 0x10004, FW_NO},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bytes_out code;
        bytes_out_init(&code);
        put_hex(&code, "b7470000"); // lui a5, 4
        put_hex(&code, "37870000"); // lui a4, 8
        put_address(&code, 0, 15);
        put_address(&code, 1, 14);
        put_rest(&code, cases[i].configs);
        cr_expect_eq(allows(&code, cases[i].from, cases[i].to), cases[i].allowed, "case %u", i);
        bytes_out_free(&code);
    }
}

Test(pmp, without_writes_nothing_is_known)
{
    struct bytes_out code;
    bytes_out_init(&code);
    put_hex(&code, "b747000067800000");
    cr_expect_eq(allows(&code, 0, 4), FW_UNKNOWN);
    bytes_out_free(&code);
}
