#include "packer/splice/veneer.h"

#include "format/bytes.h"

enum {
    FUNCTION_MAX = 320, // bytes of the lookup function that are looked at
    SLOTS = 32,         // words of its stack frame
    LITERALS = 88,      // offset of the two addresses in the finder
};

// int find(const char *name, int *type, void **data): r0 to r2. r3 counts entries times 4, r4 walks
// over the names. The order of tests is that of py/frozenmod.c: a whole name is a file (2), a name
// that goes on with '/' a directory (1), and the first match counts.
static const uint16_t finder_code[LITERALS / 2] = {
    0xb5f0,         //          push {r4, r5, r6, r7, lr}
    0x2300,         //          movs r3, #0
    0x2900,         //          cmp  r1, #0
    0xd000,         //          beq  start
    0x600b,         //          str  r3, [r1]       no type yet
    0x4c13,         // start:   ldr  r4, names
    0x7825,         // name:    ldrb r5, [r4]
    0x2d00,         //          cmp  r5, #0
    0xd01f,         //          beq  none
    0x0006,         //          movs r6, r0
    0x7837,         // compare: ldrb r7, [r6]
    0x2f00,         //          cmp  r7, #0
    0xd005,         //          beq  end
    0x7825,         //          ldrb r5, [r4]
    0x42bd,         //          cmp  r5, r7
    0xd107,         //          bne  skip
    0x3601,         //          adds r6, #1
    0x3401,         //          adds r4, #1
    0xe7f6,         //          b    compare
    0x7825,         // end:     ldrb r5, [r4]
    0x2d00,         //          cmp  r5, #0
    0xd007,         //          beq  file
    0x2d2f,         //          cmp  r5, #'/'
    0xd00e,         //          beq  dir
    0x7825,         // skip:    ldrb r5, [r4]
    0x3401,         //          adds r4, #1
    0x2d00,         //          cmp  r5, #0
    0xd1fb,         //          bne  skip
    0x3304,         //          adds r3, #4
    0xe7e7,         //          b    name
    0x2900,         // file:    cmp  r1, #0
    0xd004,         //          beq  found
    0x4d06,         //          ldr  r5, content
    0x58ed,         //          ldr  r5, [r5, r3]
    0x6015,         //          str  r5, [r2]
    0x2502,         //          movs r5, #2         MP_FROZEN_MPY
    0x600d,         //          str  r5, [r1]
    0x2002, 0xbdf0, // found:   movs r0, #2; pop {r4, r5, r6, r7, pc}
    0x2001, 0xbdf0, // dir:     movs r0, #1; pop
    0x2000, 0xbdf0, // none:    movs r0, #0; pop
    0x46c0,         //          nop
};

void veneer_write(uint8_t out[VENEER_FINDER], uint64_t names, uint64_t content)
{
    for (int i = 0; i < LITERALS / 2; i++) {
        st16(out + 2 * i, finder_code[i]);
    }
    st32(out + LITERALS, (uint32_t)names);
    st32(out + LITERALS + 4, (uint32_t)content);
}

// r3 is free at the entry of a function of three arguments.
enum diag_code veneer_patch(struct patches *p, uint64_t function, uint64_t finder)
{
    bool odd = function & 2; // the literal must be at a multiple of 4
    uint64_t literal = function + (odd ? 6 : 4);
    enum diag_code err = patches_write(p, function, odd ? 0x4b01 : 0x4b00, 2); // ldr r3, literal
    err = err ? err : patches_write(p, function + 2, 0x4718, 2);               // bx r3
    if (odd && !err) {
        err = patches_write(p, function + 4, 0x46c0, 2); // nop
    }
    p->n_references++;
    return err ? err : patches_write(p, literal, finder | 1, 4);
}

// Where values come from, followed through the function in order of address. What is not understood
// makes a value unknown, never a known one.
enum value { UNKNOWN, ARG0, ARG1, ARG2, MODULE };

struct trace {
    const struct image *image;
    uint64_t module; // the address of the one module
    enum value r[16];
    enum value slot[SLOTS]; // slot[0] is the word at sp
    bool stores_type, stores_data, wrong;
};

static void move_stack(struct trace *t, int words) // > 0: sp goes down
{
    enum value old[SLOTS];
    memcpy(old, t->slot, sizeof old);
    for (int i = 0; i < SLOTS; i++) {
        int from = i - words;
        t->slot[i] = from >= 0 && from < SLOTS ? old[from] : UNKNOWN;
    }
}

static void push(struct trace *t, uint32_t list)
{
    int n = __builtin_popcount(list), at = 0;
    move_stack(t, n);
    for (int r = 0; r < 16; r++) {
        if (list >> r & 1) {
            t->slot[at++] = t->r[r];
        }
    }
}

static void store(struct trace *t, enum value what, enum value where, uint32_t offset)
{
    if (what == MODULE) {
        t->stores_data |= where == ARG2 && offset == 0;
        t->wrong |= where != ARG2 || offset != 0;
    } else if (where == ARG1 && offset == 0) {
        t->stores_type = true;
    }
}

static void load_literal(struct trace *t, unsigned rd, uint64_t at)
{
    uint64_t v;
    bool is_module = image_word(t->image, at, 4, &v) && v == t->module;
    t->r[rd] = is_module ? MODULE : UNKNOWN;
}

static void clobber(struct trace *t, uint32_t list)
{
    for (int r = 0; r < 16; r++) {
        if (list >> r & 1) {
            t->r[r] = UNKNOWN;
        }
    }
}

static void step_wide(struct trace *t, uint64_t at, uint16_t a, uint16_t b)
{
    if (a == 0xe92d) { // push.w
        push(t, b);
    } else if ((a & 0xf800) == 0xf000 && (b & 0xd000) == 0xd000) { // bl
        clobber(t, 0x500f);
    } else if ((a & 0xff7f) == 0xf85f) { // ldr.w literal
        uint64_t pc = (at + 4) & ~UINT64_C(3);
        load_literal(t, b >> 12, a & 0x80 ? pc + (b & 0xfff) : pc - (b & 0xfff));
    } else if ((a & 0xfff0) == 0xf8c0) { // str.w
        store(t, t->r[b >> 12], t->r[a & 15], b & 0xfff);
    } else {
        clobber(t, 1u << (b >> 12) | 1u << (b >> 8 & 15));
    }
}

// Every 16-bit instruction that moves, stores or overwrites a register.
static void step(struct trace *t, uint64_t at, uint16_t i)
{
    unsigned lo = i & 7, mid = i >> 3 & 7, hi = i >> 8 & 7;
    if ((i & 0xffc0) == 0 || (i & 0xffc0) == 0x1c00) { // movs lo, mid
        t->r[lo] = t->r[mid];
    } else if ((i & 0xff00) == 0x4600) { // mov, high registers included
        t->r[lo | (i >> 4 & 8)] = t->r[i >> 3 & 15];
    } else if ((i & 0xfe00) == 0xb400) { // push
        push(t, (i & 0xff) | (i & 0x100) << 6);
    } else if ((i & 0xff00) == 0xb000) { // add sp, sub sp
        move_stack(t, (i & 0x80 ? 1 : -1) * (i & 0x7f));
    } else if ((i & 0xf800) == 0x9000) { // str [sp]
        if ((i & 0xff) < SLOTS) {
            t->slot[i & 0xff] = t->r[hi];
        }
    } else if ((i & 0xf800) == 0x9800) { // ldr [sp]
        t->r[hi] = (i & 0xff) < SLOTS ? t->slot[i & 0xff] : UNKNOWN;
    } else if ((i & 0xf800) == 0x4800) { // ldr literal
        load_literal(t, hi, ((at + 4) & ~UINT64_C(3)) + (i & 0xff) * 4);
    } else if ((i & 0xf800) == 0x6000) { // str [mid]
        store(t, t->r[lo], t->r[mid], (i >> 6 & 31) * 4);
    } else if ((i & 0xe000) == 0x2000 || (i & 0xf000) == 0xa000) {
        clobber(t, (i & 0xf800) == 0x2800 ? 0 : 1u << hi); // all but cmp
    } else if ((i & 0xf800) == 0xc800) {                   // ldm
        clobber(t, i & 0xff);
    } else if (i < 0x9000) {
        clobber(t, 1u << lo);
    }
}

static bool is_lookup(const struct image *img, uint64_t function, uint64_t module)
{
    struct trace t = {.image = img, .module = module, .r = {ARG0, ARG1, ARG2}};
    for (uint64_t at = function; at < function + FUNCTION_MAX && !t.wrong;) {
        uint64_t a, b = 0;
        if (!image_word(img, at, 2, &a)) {
            break;
        }
        if (a >> 11 >= 0x1d) { // 32 bits wide
            if (!image_word(img, at + 2, 2, &b)) {
                break;
            }
            step_wide(&t, at, (uint16_t)a, (uint16_t)b);
            at += 4;
        } else {
            step(&t, at, (uint16_t)a);
            at += 2;
        }
        if (t.stores_data && t.stores_type) {
            return true;
        }
    }
    return false;
}

static bool try_function(const struct firmware *fw, uint64_t entry, uint64_t *function)
{
    *function = entry & ~UINT64_C(1);
    return entry && is_lookup(fw->image, *function, fw->modules[0].addr);
}

enum diag_code veneer_find(const struct firmware *fw, struct diag *d, uint64_t *function)
{
    bool possible = fw->isa == IMAGE_ISA_THUMB && fw->n_modules == 1 && fw->n_str == 0;
    if (possible && try_function(fw, fw->find_frozen_function, function)) {
        return DIAG_OK;
    }
    for (unsigned i = 0; i < fw->names_refs.n && possible; i++) {
        if (try_function(fw, fw->names_refs.refs[i].function, function)) {
            return DIAG_OK;
        }
    }
    *function = 0;
    enum diag_code err =
        diag_set(d, DIAG_NO, fw->image->name, "no code refers to the array of frozen modules");
    diag_help(d, "a build with link-time optimisation has folded it away, and its lookup function "
                 "cannot be replaced; without link-time optimisation, or with one more frozen "
                 "module, it would stay");
    return err;
}
