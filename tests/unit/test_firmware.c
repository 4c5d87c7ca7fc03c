#include <criterion/criterion.h>
#include <string.h>

#include "firmware_fixture.h"

static const struct firmware_layout layouts[] = {
    {18, FW_REPR_A, 1, 1}, {18, FW_REPR_A, 2, 1}, {18, FW_REPR_B, 2, 2}, {19, FW_REPR_A, 2, 1},
    {20, FW_REPR_A, 1, 1}, {21, FW_REPR_C, 2, 1}, {22, FW_REPR_A, 2, 2}, {23, FW_REPR_A, 2, 1},
    {25, FW_REPR_B, 1, 1}, {26, FW_REPR_A, 0, 1}, {28, FW_REPR_C, 1, 2}, {29, FW_REPR_B, 0, 2},
};

struct scanned {
    struct arena arena;
    struct diag diag;
    enum diag_code code;
    struct image *image;
    struct firmware *fw;
};

static void scan(struct scanned *s, const uint8_t *data, size_t size)
{
    memset(s, 0, sizeof *s);
    arena_init(&s->arena, 64u << 20);
    diag_init(&s->diag);
    s->code = image_read(data, size, "test", IMAGE_BIN, &s->arena, &s->diag, &s->image);
    if (!s->code) {
        s->code = firmware_scan(s->image, &s->diag, &s->fw);
    }
}

static void scan_made(struct scanned *s, const struct firmware_layout *l, struct firmware_made *m)
{
    firmware_make(l, m);
    scan(s, m->data, m->size);
    cr_assert_eq(s->code, DIAG_OK, "1.%u: %s", l->minor, s->diag.text);
}

Test(firmware, finds_every_address_in_every_layout)
{
    for (unsigned i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        struct firmware_made m;
        struct scanned s;
        scan_made(&s, &layouts[i], &m);
        const struct firmware *fw = s.fw;
        cr_expect_eq(s.image->segments[0].addr, m.base);
        cr_expect_eq(fw->isa, IMAGE_ISA_THUMB);
        cr_expect_eq(fw->minor, layouts[i].minor);
        cr_expect_eq(fw->repr, layouts[i].repr);
        cr_expect_eq(fw->qstr_hash_bytes, layouts[i].hash_bytes);
        cr_expect_eq(fw->qstr_len_bytes, layouts[i].len_bytes);
        cr_expect_eq(fw->n_pools, 2);
        cr_expect_eq(fw->pools[0].addr, m.pools[0]);
        cr_expect_eq(fw->pools[1].addr, m.pools[1]);
        cr_expect_eq(fw->objects[FW_TYPE_TYPE], m.type);
        cr_expect_eq(fw->names, m.names);
        cr_expect_eq(fw->content, m.content);
        cr_expect_eq(fw->n_modules, 1);
        cr_expect_str_eq(fw->modules[0].name, "t.py");
        cr_expect_eq(fw->modules[0].addr, m.module);
        cr_expect_eq(fw->modules[0].code, m.code);
        arena_free(&s.arena);
    }
}

Test(firmware, finds_every_reference)
{
    struct firmware_made m;
    struct scanned s;
    scan_made(&s, &layouts[7], &m);
    const struct firmware *fw = s.fw;
    cr_assert_eq(fw->content_refs.n, 1);
    cr_expect_eq(fw->content_refs.refs[0].addr, m.content_literal);
    cr_expect_eq(fw->content_refs.refs[0].function, m.lookup);
    cr_expect_eq(fw->find_frozen_function, m.lookup);
    cr_assert_eq(fw->names_refs.n, 2);
    cr_expect_eq(fw->names_refs.refs[0].addr, m.names_literals[0]);
    cr_expect_eq(fw->names_refs.refs[1].addr, m.names_literals[1]);
    cr_assert_eq(fw->pool_refs.n, 2);
    cr_expect_eq(fw->pool_refs.refs[1].addr, m.pool_literals[1]);
    arena_free(&s.arena);
}

Test(firmware, strings_are_found_by_text)
{
    struct firmware_made m;
    struct scanned s;
    scan_made(&s, &layouts[3], &m);
    cr_expect_eq(firmware_qstr(s.fw, "<module>", 8), 7);
    cr_expect_eq(firmware_qstr(s.fw, "t.py", 4), 166 + 4);
    cr_expect_eq(firmware_qstr(s.fw, "t.pyx", 5), 0);
    cr_expect_eq(firmware_qstr_hash(s.fw, "__init__", 8), s.fw->qstrs[17].hash);
    arena_free(&s.arena);
}

Test(firmware, every_truncation_is_the_truth_or_a_reason)
{
    struct firmware_made m;
    firmware_make(&layouts[7], &m);
    for (uint32_t size = 0; size < m.size; size += 7) {
        struct scanned s;
        scan(&s, m.data, size);
        if (s.code == DIAG_OK) {
            cr_expect_eq(s.fw->pools[0].addr, m.pools[0]);
            cr_expect(!s.fw->content || s.fw->content == m.content);
        } else {
            cr_expect(s.diag.text[0], "no reason at size %u", size);
        }
        arena_free(&s.arena);
    }
}

Test(firmware, a_wrong_byte_in_a_pool_is_never_overlooked)
{
    struct firmware_made m;
    firmware_make(&layouts[7], &m);
    for (uint32_t at = m.pools[0] - m.base; at < m.pools[0] - m.base + 24; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct scanned s;
            m.data[at] ^= (uint8_t)(1 << bit);
            scan(&s, m.data, m.size);
            if (s.code == DIAG_OK) { // bits of alloc, which nothing but the VM's heap reads
                cr_expect_eq(s.fw->pools[0].addr, m.pools[0]);
                cr_expect_eq(s.fw->pools[0].len, 166);
            }
            m.data[at] ^= (uint8_t)(1 << bit);
            arena_free(&s.arena);
        }
    }
}

Test(firmware, noise_is_not_micropython)
{
    uint8_t noise[4096];
    uint32_t x = 1;
    for (unsigned i = 0; i < sizeof noise; i++) {
        x = x * 1103515245 + 12345;
        noise[i] = (uint8_t)(x >> 16);
    }
    struct scanned s;
    scan(&s, noise, sizeof noise);
    cr_expect_eq(s.code, DIAG_NO);
    cr_expect_null(s.fw);
    cr_expect(s.diag.text[0]);
    arena_free(&s.arena);
}

Test(firmware, an_old_release_is_named)
{
    static const char text[] = "\0MicroPython v1.12 on 2019-12-20; PYBv1.1 with STM32F405RG\0";
    struct scanned s;
    scan(&s, (const uint8_t *)text, sizeof text);
    cr_expect_eq(s.code, DIAG_NO);
    cr_assert_not_null(s.fw);
    cr_expect_eq(s.fw->minor, 12);
    cr_expect_str_eq(s.fw->version, "1.12");
    cr_expect(strstr(s.diag.text, "not supported"));
    arena_free(&s.arena);
}
