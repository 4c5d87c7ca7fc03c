#include "packer/splice/patch.h"

#include <stdlib.h>

#include "format/bytes.h"

void patches_init(struct patches *p, const struct firmware *fw, struct arena *a, struct diag *d)
{
    *p = (struct patches){.fw = fw, .arena = a, .diag = d};
}

static enum diag_code outside(const struct patches *p, uint64_t run)
{
    return diag_set(p->diag, DIAG_NO, p->fw->image->name,
                    "the reference at 0x%llx does not lie in the image", (unsigned long long)run);
}

static enum diag_code add(struct patches *p, uint64_t run, const uint8_t *bytes, uint32_t size)
{
    uint64_t addr = image_run_to_addr(p->fw->image, run);
    if (addr == UINT64_MAX || !image_bytes(p->fw->image, addr, size)) {
        return outside(p, run);
    }
    if (p->n == p->cap) {
        unsigned cap = p->cap ? p->cap * 2 : 32;
        p->items =
            arena_grow(p->arena, p->items, p->cap * sizeof *p->items, cap * sizeof *p->items);
        p->cap = cap;
    }
    p->items[p->n] = (struct patch){.addr = addr, .size = size};
    memcpy(p->items[p->n++].bytes, bytes, size);
    return DIAG_OK;
}

enum diag_code patches_write(struct patches *p, uint64_t run, uint64_t value, unsigned size)
{
    uint8_t bytes[8];
    st64(bytes, value);
    return add(p, run, bytes, size);
}

static bool read_u32(const struct patches *p, uint64_t run, uint32_t *v)
{
    const uint8_t *bytes = image_run_bytes(p->fw->image, run, 4);
    if (bytes) {
        *v = ld32(bytes);
    }
    return bytes != NULL;
}

static enum diag_code out_of_reach(struct patches *p, const struct fw_ref *ref, uint64_t target,
                                   const char *what)
{
    enum diag_code err = diag_set(p->diag, DIAG_NO, p->fw->image->name,
                                  "the code at 0x%llx that refers to %s cannot reach 0x%llx",
                                  (unsigned long long)ref->addr, what, (unsigned long long)target);
    diag_help(p->diag, "another --region nearer to 0x%llx may do", (unsigned long long)ref->target);
    return err;
}

static bool fits_signed(int64_t v, unsigned bits)
{
    return v >= -(INT64_C(1) << (bits - 1)) && v < INT64_C(1) << (bits - 1);
}

// Thumb-2 MOVW/MOVT T3/T1: 11110 i 10x100 imm4 | 0 imm3 Rd imm8, as two little-endian halves.
static uint32_t set_thumb_imm16(uint32_t insn, uint32_t imm)
{
    insn &= ~UINT32_C(0x70ff040f);
    return insn | imm >> 12 | (imm >> 11 & 1) << 10 | (imm >> 8 & 7) << 28 | (imm & 0xff) << 16;
}

// A32 MOVW/MOVT: imm4 in bits 19..16, imm12 in bits 11..0.
static uint32_t set_arm_imm16(uint32_t insn, uint32_t imm)
{
    return (insn & ~UINT32_C(0x000f0fff)) | (imm >> 12) << 16 | (imm & 0xfff);
}

static enum diag_code movw_movt(struct patches *p, const struct fw_ref *ref, uint64_t value)
{
    uint32_t low, high;
    if (!read_u32(p, ref->addr, &low) || !read_u32(p, ref->addr2, &high)) {
        return outside(p, ref->addr);
    }
    bool arm = p->fw->isa == IMAGE_ISA_ARM;
    uint32_t (*set)(uint32_t, uint32_t) = arm ? set_arm_imm16 : set_thumb_imm16;
    enum diag_code err = patches_write(p, ref->addr, set(low, value & 0xffff), 4);
    return err ? err : patches_write(p, ref->addr2, set(high, value >> 16 & 0xffff), 4);
}

// AArch64 ADR/ADRP: immlo in bits 30..29, immhi in bits 23..5.
static uint32_t set_adr(uint32_t insn, uint32_t imm)
{
    return (insn & ~UINT32_C(0x60ffffe0)) | (imm & 3) << 29 | (imm >> 2 & 0x7ffff) << 5;
}

// The scale of the 12-bit offset at bits 21..10: 1 for ADD, the access size for loads and stores.
static unsigned a64_offset_shift(uint32_t insn)
{
    bool is_access = (insn & 0x3b000000) == 0x39000000;
    bool is_q = (insn & 0x04800000) == 0x04800000;
    return !is_access ? 0 : is_q ? 4 : insn >> 30;
}

static enum diag_code adrp_add(struct patches *p, const struct fw_ref *ref, uint64_t value,
                               const char *what)
{
    uint32_t adrp, low;
    if (!read_u32(p, ref->addr, &adrp) || !read_u32(p, ref->addr2, &low)) {
        return outside(p, ref->addr);
    }
    int64_t pages = ((int64_t)(value & ~UINT64_C(0xfff)) - (int64_t)(ref->addr & ~UINT64_C(0xfff)));
    unsigned shift = a64_offset_shift(low);
    if (!fits_signed(pages / 4096, 21) || value & ((1u << shift) - 1)) {
        return out_of_reach(p, ref, value, what);
    }
    uint32_t imm12 = (uint32_t)(value & 0xfff) >> shift;
    enum diag_code err = patches_write(p, ref->addr, set_adr(adrp, (uint32_t)(pages / 4096)), 4);
    return err ? err : patches_write(p, ref->addr2, (low & ~UINT32_C(0x003ffc00)) | imm12 << 10, 4);
}

static enum diag_code adr(struct patches *p, const struct fw_ref *ref, uint64_t value,
                          const char *what)
{
    uint32_t insn;
    int64_t distance = (int64_t)(value - ref->addr);
    if (!read_u32(p, ref->addr, &insn) || !fits_signed(distance, 21)) {
        return out_of_reach(p, ref, value, what);
    }
    return patches_write(p, ref->addr, set_adr(insn, (uint32_t)distance), 4);
}

// The low 12 bits of a RISC-V I-type or S-type instruction (stores).
static uint32_t set_lo12(uint32_t insn, uint32_t imm)
{
    if ((insn & 0x7f) == 0x23) {
        return (insn & ~UINT32_C(0xfe000f80)) | (imm >> 5 & 0x7f) << 25 | (imm & 31) << 7;
    }
    return (insn & ~UINT32_C(0xfff00000)) | (imm & 0xfff) << 20;
}

// C.LUI holds bits 17..12, sign-extended, and never zero.
static bool set_c_lui(uint32_t *insn, int64_t high)
{
    if (high == 0 || !fits_signed(high, 6)) {
        return false;
    }
    *insn =
        (*insn & ~UINT32_C(0x107c)) | (uint32_t)(high >> 5 & 1) << 12 | (uint32_t)(high & 31) << 2;
    return true;
}

// distance is the value that the pair makes: the address itself for lui, relative to it for auipc.
static enum diag_code riscv_pair(struct patches *p, const struct fw_ref *ref, uint64_t value,
                                 int64_t distance, const char *what)
{
    uint32_t upper, low;
    int64_t high = (distance + 0x800) >> 12;
    if (!read_u32(p, ref->addr, &upper) || !read_u32(p, ref->addr2, &low) || (low & 3) != 3 ||
        !fits_signed(high, p->fw->ptr == 8 ? 20 : 21)) {
        return out_of_reach(p, ref, value, what);
    }
    uint32_t imm = (uint32_t)(distance & 0xfff);
    bool compressed = (upper & 3) != 3;
    if (compressed && !set_c_lui(&upper, high)) {
        return out_of_reach(p, ref, value, what);
    }
    if (!compressed) {
        upper = (upper & 0xfff) | (uint32_t)high << 12;
    }
    enum diag_code err = patches_write(p, ref->addr, upper, compressed ? 2 : 4);
    return err ? err : patches_write(p, ref->addr2, set_lo12(low, imm), 4);
}

static enum diag_code relative32(struct patches *p, const struct fw_ref *ref, uint64_t value,
                                 const char *what)
{
    int64_t distance = (int64_t)(value - ref->next);
    if (p->fw->ptr == 8 && !fits_signed(distance, 32)) {
        return out_of_reach(p, ref, value, what);
    }
    return patches_write(p, ref->addr, (uint64_t)distance, 4);
}

static int64_t lui_value(const struct firmware *fw, uint64_t value)
{
    return fw->ptr == 8 ? (int64_t)value : (int32_t)(uint32_t)value;
}

enum diag_code patches_reference(struct patches *p, const struct fw_ref *ref, uint64_t target,
                                 const char *what)
{
    uint64_t value = target - (uint64_t)ref->addend;
    p->n_references++;
    switch (ref->kind) {
    case FW_REF_WORD:
    case FW_REF_WORD_RELATIVE:
        return patches_write(p, ref->addr, value, p->fw->ptr);
    case FW_REF_MOVW_MOVT:
        return movw_movt(p, ref, value);
    case FW_REF_RIP32:
    case FW_REF_GOTOFF32:
    case FW_REF_PCREL_WORD:
        return relative32(p, ref, value, what);
    case FW_REF_ABS32:
        return value > UINT32_MAX ? out_of_reach(p, ref, target, what)
                                  : patches_write(p, ref->addr, value, 4);
    case FW_REF_ADRP_ADD:
        return adrp_add(p, ref, value, what);
    case FW_REF_ADR:
        return adr(p, ref, value, what);
    case FW_REF_LUI_LO12:
        return riscv_pair(p, ref, value, lui_value(p->fw, value), what);
    case FW_REF_AUIPC_LO12:
        return riscv_pair(p, ref, value, (int64_t)(value - ref->addr), what);
    }
    return diag_set(p->diag, DIAG_INTERNAL, NULL, "unknown kind of reference %d", (int)ref->kind);
}

static int by_addr(const void *a, const void *b)
{
    const struct patch *x = a, *y = b;
    if (x->addr != y->addr) {
        return x->addr < y->addr ? -1 : 1;
    }
    return (x->size > y->size) - (x->size < y->size);
}

static enum diag_code conflict(struct patches *p, const struct patch *x)
{
    return diag_set(p->diag, DIAG_NO, p->fw->image->name,
                    "the code at 0x%llx serves two references that need different values",
                    (unsigned long long)x->addr);
}

// One instruction may serve several references to the same table: equal writes are one.
static enum diag_code drop_doubles(struct patches *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->n; i++) {
        const struct patch *x = &p->items[i], *last = n ? &p->items[n - 1] : NULL;
        if (last && x->addr < last->addr + last->size) {
            if (x->addr != last->addr || x->size != last->size ||
                memcmp(x->bytes, last->bytes, x->size) != 0) {
                return conflict(p, x);
            }
            continue;
        }
        p->items[n++] = *x;
    }
    p->n = n;
    return DIAG_OK;
}

enum diag_code patches_finish(struct patches *p, uint32_t *n, const struct blob_patch **out)
{
    if (p->n) {
        qsort(p->items, p->n, sizeof *p->items, by_addr);
    }
    enum diag_code err = drop_doubles(p);
    if (err) {
        return err;
    }
    struct blob_patch *list = ARENA_ARRAY(p->arena, struct blob_patch, p->n);
    for (unsigned i = 0; i < p->n; i++) {
        const struct patch *x = &p->items[i];
        const uint8_t *old = image_bytes(p->fw->image, x->addr, x->size);
        list[i] = (struct blob_patch){x->addr, x->size, arena_dup(p->arena, old, x->size),
                                      arena_dup(p->arena, x->bytes, x->size)};
    }
    *n = p->n;
    *out = list;
    return DIAG_OK;
}
