// The physical memory protection (PMP) of RISC-V chips: up to 16 ranges, which ESP-IDF's start-up
// code sets up and locks. What it writes is read from its instructions.
//
// Facts: RISC-V Privileged ISA, 3.7; ESP-IDF esp_hw_support/port/*/cpu_region_protect.c (before
// 5.1: cpu.c, cpu_util_*.c), riscv/include/riscv/csr.h.
#include "format/firmware/flow.h"

enum {
    CSR_CONFIG = 0x3a0, // pmpcfg0: four entries each
    CSR_ADDRESS = 0x3b0,
    ENTRIES = 16,
    ALLOWED_X = 4,
    MODE = 0x18, // off, top of range, four bytes, a power of two
    MODE_TOR = 0x08,
    MODE_NA4 = 0x10,
    LOCKED = 0x80,    // else the entry does not bind machine mode, which is the only one in use
    NEAR = 512,       // bytes between two writes of one function; real: 190 at most
    AHEAD = 512,      // bytes before the first write in which its value is made; real: 130 at most
    READ_MAX = 8192,  // bytes of code that are read for one function
    WRITES_LEAST = 4, // of addresses that are known, in a function that sets protection up
    FUNCTIONS_MAX = 64,
    REGISTERS = 32,
};

struct entry {
    uint32_t addr; // as the register has it: bits 33..2
    uint8_t config;
    bool addr_known, config_known;
};

struct machine { // what a stretch of code does, as far as it shows
    uint32_t value[REGISTERS];
    uint32_t known; // bit r: of register r
    struct entry entries[ENTRIES];
    unsigned n_known; // addresses written that are known
};

// --- instructions

static void set(struct machine *m, unsigned rd, uint32_t value, bool known)
{
    m->value[rd] = rd ? value : 0;
    m->known = known || !rd ? m->known | 1u << rd : m->known & ~(1u << rd);
}

static bool is_known(const struct machine *m, unsigned r)
{
    return m->known >> r & 1;
}

static void forget(struct machine *m)
{
    m->known = 1;
}

// ra, t0 to t6 and a0 to a7.
static void forget_scratch(struct machine *m)
{
    m->known &= ~0xf003fce2u;
}

static void set_if(struct machine *m, unsigned rd, unsigned rs, uint32_t value)
{
    set(m, rd, value, is_known(m, rs));
}

static uint32_t shift_right(uint32_t v, unsigned by, bool sign)
{
    return sign && v >> 31 ? ~(~v >> by) : v >> by;
}

// A register with an immediate or another register: the functions of both forms have one number.
static bool combine(unsigned funct, uint32_t a, uint32_t b, bool other, uint32_t *out)
{
    switch (funct) {
    case 0:
        *out = other ? a - b : a + b;
        return true;
    case 1:
        *out = a << (b & 31);
        return true;
    case 4:
        *out = a ^ b;
        return true;
    case 5:
        *out = shift_right(a, b & 31, other);
        return true;
    case 6:
        *out = a | b;
        return true;
    case 7:
        *out = a & b;
        return true;
    default:
        return false;
    }
}

static void arithmetic(struct machine *m, uint32_t i)
{
    unsigned rd = i >> 7 & 31, rs = i >> 15 & 31, rs2 = i >> 20 & 31, funct = i >> 12 & 7;
    bool immediate = (i & 0x7f) == 0x13, other = i >> 30 & 1 && (!immediate || funct == 5);
    uint32_t b = immediate ? (uint32_t)((int32_t)i >> 20) : m->value[rs2], value = 0;
    bool known = is_known(m, rs) && (immediate || is_known(m, rs2)) &&
                 (immediate || !(i & 0xbe000000)) && combine(funct, m->value[rs], b, other, &value);
    set(m, rd, value, known);
}

static void write_address(struct machine *m, unsigned n, uint32_t value, bool known)
{
    m->entries[n].addr = value;
    m->entries[n].addr_known = known;
    m->n_known += known;
}

// write: 1 replaces, 2 sets bits, 3 clears bits.
static void write_config(struct machine *m, unsigned first, unsigned write, uint32_t value,
                         bool known)
{
    for (unsigned i = 0; i < 4; i++, value >>= 8) {
        struct entry *e = &m->entries[first + i];
        uint8_t v = (uint8_t)value;
        e->config = write == 1 ? v : write == 2 ? e->config | v : (uint8_t)(e->config & ~v);
        e->config_known = known && (write == 1 || e->config_known);
    }
}

static bool is_protection(uint32_t i)
{
    uint32_t csr = i >> 20;
    return (i & 0x7f) == 0x73 && (i >> 12 & 3) && csr >= CSR_CONFIG &&
           csr < CSR_ADDRESS + ENTRIES && (csr >= CSR_ADDRESS || csr < CSR_CONFIG + ENTRIES / 4);
}

static void protection(struct machine *m, uint32_t i)
{
    unsigned csr = i >> 20, rs = i >> 15 & 31, write = i >> 12 & 3;
    bool immediate = i >> 14 & 1, known = immediate || is_known(m, rs);
    uint32_t value = immediate ? rs : m->value[rs];
    if (write == 1 || rs) { // csrr writes nothing
        if (csr >= CSR_ADDRESS) {
            write_address(m, csr - CSR_ADDRESS, value, known && write == 1);
        } else {
            write_config(m, (csr - CSR_CONFIG) * 4, write, value, known);
        }
    }
    set(m, i >> 7 & 31, 0, false);
}

static void full(struct machine *m, uint32_t i, uint64_t at)
{
    unsigned op = i & 0x7f, rd = i >> 7 & 31;
    if (op == 0x37 || op == 0x17) {
        set(m, rd, (i & 0xfffff000) + (op == 0x17 ? (uint32_t)at : 0), true);
    } else if (op == 0x13 || op == 0x33) {
        arithmetic(m, i);
    } else if (is_protection(i)) {
        protection(m, i);
    } else if (op != 0x23 && op != 0x27 && op != 0x63) { // not stores and branches
        set(m, rd, 0, false);
    }
}

static void compressed_arithmetic(struct machine *m, uint32_t i)
{
    static const uint8_t functs[] = {0, 4, 6, 7}; // c.sub, c.xor, c.or, c.and
    unsigned rd = 8 + (i >> 7 & 7), rs = 8 + (i >> 2 & 7), kind = i >> 10 & 3;
    uint32_t imm = (i >> 2 & 31) | (i & 0x1000 ? ~31u : 0), value = 0;
    if (kind < 3) {
        combine(kind == 2 ? 7 : 5, m->value[rd], imm, kind == 1, &value);
        set_if(m, rd, rd, value);
    } else {
        combine(functs[i >> 5 & 3], m->value[rd], m->value[rs], true, &value);
        set(m, rd, value, is_known(m, rd) && is_known(m, rs) && !(i & 0x1000));
    }
}

static void compressed_immediate(struct machine *m, uint32_t i)
{
    unsigned rd = i >> 7 & 31;
    uint32_t imm = (i >> 2 & 31) | (i & 0x1000 ? ~31u : 0);
    switch (i >> 13) {
    case 0: // c.addi
        set_if(m, rd, rd, m->value[rd] + imm);
        break;
    case 2: // c.li
        set(m, rd, imm, true);
        break;
    case 3: // c.lui; c.addi16sp
        set(m, rd, imm << 12, rd != 2);
        break;
    case 4:
        compressed_arithmetic(m, i);
        break;
    default:
        break;
    }
}

static void compressed_register(struct machine *m, uint32_t i)
{
    unsigned rd = i >> 7 & 31, rs = i >> 2 & 31;
    if (i >> 13 == 0) { // c.slli
        set_if(m, rd, rd, m->value[rd] << rs);
    } else if (i >> 13 < 4) { // loads
        set(m, rd, 0, false);
    } else if (i >> 13 == 4 && rs) { // c.mv, c.add
        bool add = i & 0x1000;
        set(m, rd, m->value[rs] + (add ? m->value[rd] : 0),
            is_known(m, rs) && (!add || is_known(m, rd)));
    }
}

static void compressed(struct machine *m, uint32_t i)
{
    if ((i & 3) == 1) {
        compressed_immediate(m, i);
    } else if ((i & 3) == 2) {
        compressed_register(m, i);
    } else if (i >> 13 < 4) { // c.addi4spn, loads
        set(m, 8 + (i >> 2 & 7), 0, false);
    }
}

// --- functions

struct stretch { // of code in one span
    const struct view_span *span;
    uint64_t from, to;                   // addresses
    uint32_t targets[READ_MAX / 2 / 32]; // where branches within it go, by bits
};

static void mark(struct stretch *x, uint64_t target)
{
    if (target >= x->from && target < x->to) {
        uint64_t i = (target - x->from) / 2;
        x->targets[i / 32] |= 1u << i % 32;
    }
}

static bool is_target(const struct stretch *x, uint64_t at)
{
    uint64_t i = (at - x->from) / 2;
    return x->targets[i / 32] >> i % 32 & 1;
}

static void find_targets(const struct scan *s, struct stretch *x)
{
    struct flow_step f;
    for (uint64_t at = x->from; at < x->to; at += f.size ? f.size : 2) {
        f = (struct flow_step){0};
        if (ref_rv32.step(&s->view, at, &f) && f.kind != FLOW_CALL) {
            mark(x, f.target);
        }
    }
}

static void execute(const struct stretch *x, struct machine *m, const struct flow_step *f,
                    uint64_t at)
{
    const uint8_t *p = x->span->data + (at - x->span->run);
    if (f->kind == FLOW_CALL) {
        forget_scratch(m);
    } else if (f->kind == FLOW_JUMP || f->kind == FLOW_END) {
        forget(m);
    } else if (f->size == 2) {
        compressed(m, ld16(p));
    } else {
        full(m, ld32(p), at);
    }
}

// In the order of addresses. Where branches come together only what is made anew is known.
static void read_stretch(const struct scan *s, struct stretch *x, struct machine *m)
{
    struct flow_step f;
    find_targets(s, x);
    for (uint64_t at = x->from; at < x->to; at += f.size ? f.size : 2) {
        f = (struct flow_step){0};
        if (is_target(x, at)) {
            forget(m);
        }
        if (ref_rv32.step(&s->view, at, &f)) {
            execute(x, m, &f, at);
        }
    }
}

static bool is_write(const uint8_t *p)
{
    uint32_t i = ld32(p);
    return is_protection(i) && i >> 20 >= CSR_ADDRESS && (i >> 7 & 31) == 0 && (i >> 12 & 3) == 1;
}

// The next function at or behind *at, an offset in the span, that writes addresses of entries.
static bool next_function(const struct view_span *span, uint64_t *at, struct stretch *x)
{
    uint64_t last = 0, first = 0;
    for (; in_range(*at, 4, span->size) && (!last || *at - last <= NEAR); *at += 2) {
        if (last && *at - first > READ_MAX - AHEAD - NEAR) {
            break; // the rest is read as another one
        }
        if (is_write(span->data + *at)) {
            first = last ? first : *at;
            last = *at;
        }
    }
    if (!last) {
        return false;
    }
    uint64_t from = first > AHEAD ? first - AHEAD : span->run & 1;
    uint64_t to = last + NEAR < span->size ? last + NEAR : span->size;
    *x = (struct stretch){.span = span, .from = span->run + from, .to = span->run + to};
    return true;
}

// --- what is allowed

static void range_of(const struct machine *m, unsigned i, uint64_t *from, uint64_t *to)
{
    const struct entry *e = &m->entries[i];
    uint64_t addr = e->addr, low = addr & ~(addr + 1); // the ones at its end
    switch (e->config & MODE) {
    case MODE_TOR:
        *from = i ? (uint64_t)m->entries[i - 1].addr << 2 : 0;
        *to = addr << 2;
        return;
    case MODE_NA4:
        *from = addr << 2;
        *to = *from + 4;
        return;
    default:
        *from = (addr & ~low) << 2;
        *to = *from + ((low + 1) << 3);
        return;
    }
}

// The first entry that matches decides; what no entry matches machine mode may do.
static enum fw_tri allows(const struct machine *m, uint64_t from, uint64_t to)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        const struct entry *e = &m->entries[i];
        uint64_t low, high;
        bool off = e->config_known && !(e->config & MODE);
        range_of(m, i, &low, &high);
        bool below = e->config_known && e->addr_known && (e->config & MODE) == MODE_TOR;
        if (off || (below && high <= from)) {
            continue;
        }
        bool base = !below || !i || m->entries[i - 1].addr_known;
        if (!e->config_known || !e->addr_known || !base) {
            return FW_UNKNOWN;
        }
        bool allowed = !(e->config & LOCKED) || e->config & ALLOWED_X;
        if (low < to && from < high && !allowed) {
            return FW_NO;
        }
        if (low <= from && to <= high) {
            return FW_YES;
        }
    }
    return FW_YES;
}

// All functions that set protection up must allow it. Those that write what they have read from
// memory restore it after a sleep.
enum fw_tri pmp_allows_running(const struct scan *s, uint64_t from, uint64_t to)
{
    enum fw_tri all = FW_UNKNOWN;
    unsigned n = 0;
    for (unsigned i = 0; i < s->view.n; i++) {
        const struct view_span *span = &s->view.spans[i];
        struct stretch x;
        for (uint64_t at = span->run & 1;
             span->flags & IMAGE_X && n < FUNCTIONS_MAX && next_function(span, &at, &x); n++) {
            struct machine m = {.known = 1};
            for (unsigned k = 0; k < ENTRIES; k++) {
                m.entries[k].addr_known = m.entries[k].config_known = true;
            }
            read_stretch(s, &x, &m);
            enum fw_tri one = m.n_known < WRITES_LEAST ? FW_YES : allows(&m, from, to);
            if (one != FW_YES) {
                return one;
            }
            all = m.n_known < WRITES_LEAST ? all : FW_YES;
        }
    }
    return n < FUNCTIONS_MAX ? all : FW_UNKNOWN;
}
