#include "freeze_fixture.h"

static const uint8_t fix_code[] = {0x08, 0x02, 0x00, 0x51, 0x63}; // prelude, name, return None

static void add_stock_qstrs(struct fix *x, unsigned n_extra)
{
    unsigned n = MPY_STATIC_QSTRS + 1 + n_extra;
    struct fw_qstr *q = ARENA_ARRAY(&x->arena, struct fw_qstr, n);
    for (unsigned i = 0; i < n; i++) {
        const char *s = i == 0                  ? ""
                        : i <= MPY_STATIC_QSTRS ? mpy_static_qstr(i)
                                                : arena_printf(&x->arena, "stock%u", i);
        q[i] = (struct fw_qstr){s, (uint32_t)strlen(s), 0};
    }
    x->pool = (struct fw_qstr_pool){.addr = FIX_POOL, .alloc = 10, .len = n};
    x->fw.pools = &x->pool;
    x->fw.n_pools = 1;
    x->fw.qstrs = q;
    x->fw.n_qstrs = n;
}

void fix_begin(struct fix *x)
{
    memset(x, 0, sizeof *x);
    arena_init(&x->arena, 0);
    diag_init(&x->diag);
    x->profile = (struct fw_profile){.pool_tables = true,
                                     .pool_sorted_flag = true,
                                     .slot_types = true,
                                     .frozen_module_t = true,
                                     .proto_fun = true,
                                     .mpy_sub_version = 3};
    x->fw = (struct firmware){.profile = &x->profile,
                              .version = "1.25.0",
                              .isa = IMAGE_ISA_THUMB,
                              .mpy_arch = MPY_ARCH_ARMV7M,
                              .ptr = 4,
                              .repr = FW_REPR_A,
                              .float_kind = FW_FLOAT_F32,
                              .longint = FW_LONGINT_MPZ,
                              .mpz_dig_bits = 16,
                              .small_int_bits = 31,
                              .immediate_objs = FW_YES,
                              .save = FW_NO,
                              .settrace = FW_NO,
                              .native = FW_YES,
                              .debug_names = FW_NO,
                              .qstr_hash_bytes = 2,
                              .qstr_len_bytes = 1,
                              .frozen = FW_YES,
                              .names = 0x5000,
                              .content = 0x5100};
    for (int i = 0; i < FW_OBJECTS; i++) {
        x->fw.objects[i] = FIX_TYPES + (uint64_t)i * 0x100;
    }
    add_stock_qstrs(x, 4);
}

void fix_end(struct fix *x)
{
    arena_free(&x->arena);
}

enum diag_code fix_freeze(struct fix *x, const struct freeze_input *inputs, unsigned n)
{
    enum diag_code err = freeze_make(&x->fw, inputs, n, x->pools, &x->arena, &x->diag, &x->out);
    if (!err) {
        freeze_place(x->out, FIX_ADDR);
    }
    return err;
}

static const uint8_t *at(const struct fix *x, uint64_t addr, uint32_t size)
{
    cr_assert(addr >= FIX_ADDR && in_range(addr - FIX_ADDR, size, x->out->size),
              "address 0x%llx is not in the payload", (unsigned long long)addr);
    return x->out->data + (addr - FIX_ADDR);
}

uint64_t fix_word(const struct fix *x, uint64_t addr)
{
    return x->fw.ptr == 4 ? ld32(at(x, addr, 4)) : ld64(at(x, addr, 8));
}

uint32_t fix_u32(const struct fix *x, uint64_t addr)
{
    return ld32(at(x, addr, 4));
}

uint16_t fix_u16(const struct fix *x, uint64_t addr)
{
    return ld16(at(x, addr, 2));
}

uint8_t fix_u8(const struct fix *x, uint64_t addr)
{
    return *at(x, addr, 1);
}

const char *fix_str(const struct fix *x, uint64_t addr)
{
    return (const char *)at(x, addr, 1);
}

uint64_t fix_at(uint32_t offset)
{
    return FIX_ADDR + (uint64_t)offset;
}

uint64_t fix_module(const struct fix *x, unsigned i, unsigned member)
{
    uint64_t m = fix_word(x, fix_at(x->out->content) + (uint64_t)i * x->fw.ptr);
    return fix_word(x, m + (uint64_t)member * x->fw.ptr);
}

struct vm_pool { // as py/qstr.h declares it
    uint64_t prev, total, alloc, len, lengths, qstrs;
    bool sorted;
};

static struct vm_pool read_pool(const struct fix *x, uint64_t addr)
{
    unsigned w = x->fw.ptr, hashes = x->fw.qstr_hash_bytes != 0;
    struct vm_pool p = {.prev = fix_word(x, addr),
                        .total = fix_word(x, addr + w),
                        .alloc = fix_word(x, addr + 2 * w),
                        .len = fix_word(x, addr + 3 * w),
                        .lengths = fix_word(x, addr + (4 + hashes) * w),
                        .qstrs = addr + (5 + hashes) * w};
    p.sorted = p.total >> (8 * w - 1);
    p.total &= ~(UINT64_C(1) << (8 * w - 1));
    cr_assert(p.len > 0, "an empty pool");
    cr_assert(p.len >= p.alloc, "the VM would write into the pool");
    return p;
}

static bool is_entry(const struct fix *x, const struct vm_pool *p, uint64_t i, const char *s,
                     size_t n)
{
    const char *text = fix_str(x, fix_word(x, p->qstrs + i * x->fw.ptr));
    uint64_t len =
        x->fw.qstr_len_bytes == 2 ? fix_u16(x, p->lengths + 2 * i) : fix_u8(x, p->lengths + i);
    return len == n && !memcmp(text, s, n);
}

// py/qstr.c, qstr_find_strn of 1.22 and later, with its strncmp.
static uint32_t search(const struct fix *x, const struct vm_pool *p, const char *s, size_t n)
{
    uint64_t low = 0, high = p->len - 1;
    while (p->sorted && high - low > 1) {
        uint64_t mid = (low + high) / 2;
        if (strncmp(s, fix_str(x, fix_word(x, p->qstrs + mid * x->fw.ptr)), n) <= 0) {
            high = mid;
        } else {
            low = mid;
        }
    }
    for (; low <= high; low++) {
        if (is_entry(x, p, low, s, n)) {
            return (uint32_t)(p->total + low);
        }
    }
    return 0;
}

uint32_t fix_find(const struct fix *x, const char *s, size_t n)
{
    uint64_t pool = x->out->pool == FREEZE_NONE ? FIX_POOL : fix_at(x->out->pool);
    while (pool != FIX_POOL) {
        struct vm_pool p = read_pool(x, pool);
        uint32_t id = search(x, &p, s, n);
        if (id) {
            return id;
        }
        pool = p.prev;
    }
    for (uint32_t i = 1; i < x->fw.n_qstrs; i++) {
        if (x->fw.qstrs[i].len == n && !memcmp(x->fw.qstrs[i].data, s, n)) {
            return i;
        }
    }
    return 0;
}

// The pools of the product, as the scan would list them.
static void add_qstrs(struct fix *x, struct firmware *fw)
{
    uint64_t pool = fix_at(x->out->pool);
    unsigned w = fw->ptr, hashes = fw->qstr_hash_bytes != 0;
    if (x->out->pool == FREEZE_NONE) {
        return;
    }
    cr_assert_eq(fix_word(x, pool), FIX_POOL); // the tests' strings need one pool
    uint64_t n = fix_word(x, pool + 3 * w), lengths = fix_word(x, pool + (4 + hashes) * w);
    struct fw_qstr *all = ARENA_ARRAY(&x->arena, struct fw_qstr, fw->n_qstrs + n);
    memcpy(all, fw->qstrs, fw->n_qstrs * sizeof *all);
    for (uint64_t i = 0; i < n; i++) {
        all[fw->n_qstrs + i].data = fix_str(x, fix_word(x, pool + (5 + hashes) * w + i * w));
        all[fw->n_qstrs + i].len = fix_u8(x, lengths + i);
    }
    fw->qstrs = all;
    fw->n_qstrs += (uint32_t)n;
}

static struct image *image_of(struct arena *a, struct diag *d, const uint8_t *bytes, size_t size)
{
    struct image *img;
    cr_assert_eq(image_read(bytes, size, "t.bin", IMAGE_BIN, a, d, &img), DIAG_OK, "%s", d->text);
    image_rebase(img, FIX_TABLE);
    return img;
}

// The table and, behind it, the payload.
static uint8_t *product_bytes(struct fix *x, size_t payload)
{
    uint8_t *bytes = arena_calloc(&x->arena, FIX_TABLE_SIZE + payload, 1);
    for (unsigned at = 0; at < FIX_TABLE_SIZE; at += x->fw.ptr) {
        st32(bytes + at, FIX_TABLE + at);
    }
    if (payload) {
        memcpy(bytes + FIX_TABLE_SIZE, x->out->data, payload);
    }
    return bytes;
}

struct image *fix_stock(struct fix *x)
{
    return image_of(&x->arena, &x->diag, product_bytes(x, 0), FIX_TABLE_SIZE);
}

// What a scan of the product finds of its first frozen module.
static struct fw_module first_module(struct fix *x, const struct image *img)
{
    unsigned ptr = x->fw.ptr;
    struct fw_module m = {.kind = FW_MODULE_MPY, .name = "pkg/m.py", .spliced = !x->stock};
    image_word(img, fix_at(x->out->content), ptr, &m.addr);
    image_word(img, m.addr, ptr, &m.qstr_table);
    image_word(img, m.addr + ptr, ptr, &m.obj_table);
    image_word(img, m.addr + 2 * ptr, ptr, &m.code);
    return m;
}

static enum diag_code read_back(struct fix *x, struct firmware *fw, const uint8_t *bytes,
                                struct arena *a, struct diag *d, struct mpy_module **out)
{
    fw->image = image_of(a, d, bytes, FIX_TABLE_SIZE + x->out->size);
    struct fw_module m = first_module(x, fw->image);
    fw->modules = &m;
    fw->n_modules = 1;
    firmware_gather_starts(fw, a);
    return firmware_unfreeze(fw, &m, a, d, out);
}

enum diag_code fix_unfreeze(struct fix *x, struct arena *a, struct diag *d, struct mpy_module **out)
{
    struct firmware fw = x->fw;
    add_qstrs(x, &fw);
    return read_back(x, &fw, product_bytes(x, x->out->size), a, d, out);
}

void fix_damage(struct fix *x)
{
    struct firmware fw = x->fw;
    uint8_t *bytes = product_bytes(x, x->out->size), *payload = bytes + FIX_TABLE_SIZE;
    add_qstrs(x, &fw);
    for (uint32_t i = 0; i < 8 * x->out->size; i++) {
        struct arena a;
        struct diag d;
        struct mpy_module *m;
        arena_init(&a, 64 << 20);
        diag_init(&d);
        payload[i / 8] ^= (uint8_t)(1u << i % 8);
        enum diag_code err = read_back(x, &fw, bytes, &a, &d, &m);
        cr_assert(err == DIAG_OK || err == DIAG_MALFORMED || err == DIAG_NOMEM, "bit %u: %d", i,
                  err);
        cr_assert(!err || d.text[0], "bit %u: no words", i);
        payload[i / 8] ^= (uint8_t)(1u << i % 8);
        arena_free(&a);
    }
}

struct freeze_input fix_module_of(struct fix *x, const char *name, const struct mpy_obj *objs,
                                  uint32_t n_obj, const char *const *names, uint32_t n_names)
{
    struct mpy_module *m = ARENA_NEW(&x->arena, struct mpy_module);
    struct mpy_qstr *qstrs = ARENA_ARRAY(&x->arena, struct mpy_qstr, n_names + 1);
    struct mpy_code *code = ARENA_NEW(&x->arena, struct mpy_code);
    qstrs[0] = (struct mpy_qstr){.data = name, .len = (uint32_t)strlen(name)};
    for (uint32_t i = 0; i < n_names; i++) {
        qstrs[i + 1] = (struct mpy_qstr){.data = names[i], .len = (uint32_t)strlen(names[i])};
    }
    code->data = fix_code;
    code->size = sizeof fix_code;
    *m = (struct mpy_module){.small_int_bits = 31,
                             .n_qstr = n_names + 1,
                             .qstrs = qstrs,
                             .n_obj = n_obj,
                             .objs = objs,
                             .root = code};
    return (struct freeze_input){.kind = FW_MODULE_MPY, .name = name, .file = name, .mpy = m};
}

struct mpy_obj fix_obj_n(enum mpy_obj_kind kind, const char *text, uint32_t n)
{
    return (struct mpy_obj){.kind = kind, .data = (const uint8_t *)text, .len = n};
}

struct mpy_obj fix_obj(enum mpy_obj_kind kind, const char *text)
{
    return fix_obj_n(kind, text, (uint32_t)strlen(text));
}
