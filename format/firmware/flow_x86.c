// The lengths of x86 and x86-64 instructions, and which of them change the flow. Vector encodings
// beyond VEX are taken for no instruction.
//
// Facts: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, chapter 2 and
// appendix A.
#include "format/firmware/flow.h"

enum { X86_MAX = 15 }; // bytes of one instruction

struct insn {
    const uint8_t *p;
    unsigned n, i; // bytes there are, bytes read
    bool wide, operand16, rex_w, bad;
};

static uint8_t next(struct insn *x)
{
    if (x->i >= x->n)
        return x->bad = true, 0;
    return x->p[x->i++];
}

// What follows an opcode byte: n nothing, m modrm, b modrm and 8 bits, z 32 bits, Z modrm and 32
// bits, 1 2 3 that many bytes, o an address, t and T modrm and bits for test, v a full immediate,
// x none of ours. Prefixes are read before.
static const char one_byte[257] = "mmmm1znnmmmm1znxmmmm1znnmmmm1znn"  // 00
                                  "mmmm1znnmmmm1znnmmmm1znnmmmm1znn"  // 20
                                  "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"  // 40
                                  "nnxmnnnnzZ1bnnnn1111111111111111"  // 60
                                  "bZbbmmmmmmmmmmmmnnnnnnnnnnxnnnnn"  // 80
                                  "oooonnnn1znnnnnn11111111vvvvvvvv"  // a0
                                  "bb2nxxbZ3n2nn1nnmmmm11nnmmmmmmmm"  // c0
                                  "11111111zzx1nnnnnnnnnntTnnnnnnmm"; // e0

static char two_byte(uint8_t op)
{
    if ((op >= 0x80 && op <= 0x8f))
        return 'z';
    if (op == 0x70 || op == 0x71 || op == 0x72 || op == 0x73 || op == 0xa4 || op == 0xac ||
        op == 0xba || op == 0xc2 || op == 0xc4 || op == 0xc5 || op == 0xc6)
        return 'b';
    bool plain = op == 0x05 || op == 0x06 || op == 0x08 || op == 0x09 || op == 0x0b ||
                 (op >= 0x30 && op <= 0x37) || op == 0x77 || (op >= 0xa0 && op <= 0xa2) ||
                 (op >= 0xa8 && op <= 0xaa) || (op >= 0xc8 && op <= 0xcf);
    return plain ? 'n' : 'm';
}

static void skip(struct insn *x, unsigned n)
{
    while (n--)
        next(x);
}

static uint8_t modrm(struct insn *x)
{
    uint8_t m = next(x), mod = m >> 6, rm = m & 7, base = rm;
    if (mod == 3)
        return m;
    if (rm == 4)
        base = next(x) & 7;
    skip(x, mod == 1 ? 1 : mod == 2 || base == 5 ? 4 : 0);
    return m;
}

static uint8_t operands(struct insn *x, char form)
{
    unsigned imm = x->operand16 ? 2 : 4;
    uint8_t m = strchr("mbZtT", form) ? modrm(x) : 0;
    bool test = (m >> 3 & 7) < 2;
    switch (form) {
    case 'b':
    case '1':
        skip(x, 1);
        break;
    case '2':
    case '3':
        skip(x, (unsigned)(form - '0'));
        break;
    case 'z':
    case 'Z':
        skip(x, imm);
        break;
    case 'v':
        skip(x, x->rex_w ? 8 : imm);
        break;
    case 'o':
        skip(x, x->wide ? 8 : 4);
        break;
    case 't':
    case 'T':
        skip(x, !test ? 0 : form == 't' ? 1 : imm);
        break;
    default:
        x->bad |= form == 'x';
        break;
    }
    return m;
}

static bool is_prefix(uint8_t b)
{
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

static uint8_t prefixes(struct insn *x)
{
    uint8_t b = next(x);
    for (; is_prefix(b) && !x->bad; b = next(x))
        x->operand16 |= b == 0x66;
    if (x->wide && (b & 0xf0) == 0x40) {
        x->rex_w = b & 8;
        x->operand16 &= !x->rex_w;
        b = next(x);
    }
    return b;
}

// VEX: the opcode map is in the prefix.
static void vex(struct insn *x, uint8_t first)
{
    unsigned map = 1;
    if (first == 0xc4)
        map = next(x) & 31;
    next(x);
    uint8_t op = next(x);
    operands(x, map == 3 ? 'b' : map == 2 ? 'm' : map == 1 ? two_byte(op) : 'x');
}

static uint64_t relative(const struct insn *x, uint64_t at, unsigned size)
{
    const uint8_t *p = x->p + x->i - size;
    int64_t offset = size == 1 ? (int8_t)*p : (int32_t)ld32(p);
    uint64_t to = at + x->i + (uint64_t)offset;
    return x->wide ? to : (uint32_t)to;
}

static void escape(struct insn *x, uint64_t at, struct flow_step *s)
{
    uint8_t op = next(x);
    if (op == 0x38 || op == 0x3a) {
        next(x);
        operands(x, op == 0x3a ? 'b' : 'm');
        return;
    }
    operands(x, two_byte(op));
    if (op == 0x0b)
        s->kind = FLOW_END;
    if (!x->bad && op >= 0x80 && op <= 0x8f) {
        s->kind = FLOW_BRANCH;
        s->target = relative(x, at, 4);
    }
}

static void flow(struct insn *x, uint64_t at, uint8_t op, uint8_t m, struct flow_step *s)
{
    if (x->bad)
        return;
    if (op == 0xe8 || op == 0xe9 || op == 0xeb) {
        s->kind = op == 0xe8 ? FLOW_CALL : FLOW_JUMP;
        s->target = relative(x, at, op == 0xeb ? 1 : 4);
        if (op == 0xe8 && s->target == at + x->i) // "call 1f; 1: pop ebx" asks where it is
            s->kind = FLOW_NEXT;
    } else if ((op & 0xf0) == 0x70 || (op >= 0xe0 && op <= 0xe3)) {
        s->kind = FLOW_BRANCH;
        s->target = relative(x, at, 1);
    } else if (op == 0xc2 || op == 0xc3 || op == 0xcc || op == 0xf4) {
        s->kind = FLOW_END;
    } else if (op == 0xff) {
        unsigned reg = m >> 3 & 7;
        s->kind = reg == 2 || reg == 3 ? FLOW_CALL : reg == 4 || reg == 5 ? FLOW_END : FLOW_NEXT;
    }
}

static bool step(const struct view *v, uint64_t at, bool wide, struct flow_step *s)
{
    const struct view_span *span = view_span_at(v, at);
    if (!span)
        return false;
    uint64_t left = span->size - (at - span->run);
    struct insn x = {.p = span->data + (at - span->run),
                     .n = left < X86_MAX ? (unsigned)left : X86_MAX,
                     .wide = wide};
    uint8_t op = prefixes(&x);
    if ((op == 0xc4 || op == 0xc5) && (wide || (x.i < x.n && x.p[x.i] >= 0xc0))) {
        vex(&x, op);
    } else if (op == 0x0f) {
        escape(&x, at, s);
    } else {
        bool branch = op == 0xe8 || op == 0xe9;
        x.operand16 &= !branch;
        flow(&x, at, op, operands(&x, one_byte[op]), s);
    }
    s->size = x.i;
    return !x.bad;
}

bool flow_step_x64(const struct view *v, uint64_t at, struct flow_step *s)
{
    return step(v, at, true, s);
}

bool flow_step_x86(const struct view *v, uint64_t at, struct flow_step *s)
{
    return step(v, at, false, s);
}
