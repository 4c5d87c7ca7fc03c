// The modules of a blob: short records, and the list that says all of them.
#include <criterion/criterion.h>

#include "format/sha256.h"
#include "tests/unit/product_fixture.h"

enum { LIST_MAGIC = 16, LIST_HEAD = 74 };

struct listed {
    struct product p;
    struct blob *read;
};

static const char *const nobody[] = {NULL};

static void setup(struct listed *x, bool detached)
{
    product_init(&x->p, IMAGE_BIN);
    x->p.model.detached = detached;
    memset(x->p.module.source_sha256, 0x51, BLOB_DIGEST);
    memset(x->p.module.mpy_sha256, 0x52, BLOB_DIGEST);
    product_make(&x->p, nobody);
    cr_assert_eq(blob_read(x->p.blob.data, x->p.blob.size, "x", &x->p.arena, &x->p.diag, &x->read),
                 DIAG_OK, "%s", x->p.diag.text);
}

static void teardown(struct listed *x)
{
    product_free(&x->p);
}

static enum diag_code attach(struct listed *x, const void *list, size_t size)
{
    diag_init(&x->p.diag);
    return blob_attach(x->read, list, size, "list", &x->p.arena, &x->p.diag);
}

static uint32_t section_size(const struct blob *b)
{
    return b->layout.at[BLOB_MODULES + 1] - b->layout.at[BLOB_MODULES];
}

Test(blob_list, a_record_tells_name_kind_and_source)
{
    struct listed x;
    uint8_t nothing[BLOB_DIGEST] = {0};
    setup(&x, false);
    cr_assert_eq(section_size(x.read), BLOB_LIST_REF + BLOB_MODULE_SIZE);
    cr_assert_eq(x.read->list.n, 1);
    cr_assert_eq(x.read->n_modules, 1);
    cr_expect_not(x.read->listed);
    cr_expect_not(x.read->detached);
    const struct blob_module *m = &x.read->modules[0];
    cr_expect_str_eq(m->name, x.p.module.name);
    cr_expect_eq(m->kind, BLOB_MODULE_MPY);
    cr_expect_arr_eq(m->source_sha256, x.p.module.source_sha256, BLOB_MODULE_TAG);
    cr_expect_arr_eq(m->mpy_sha256, nothing, BLOB_DIGEST, "not in the blob");
    teardown(&x);
}

Test(blob_list, the_blob_holds_its_digest_and_takes_it_back)
{
    for (int detached = 0; detached < 2; detached++) {
        struct listed x;
        setup(&x, detached);
        cr_assert_eq(x.read->n_modules, detached ? 0 : 1);
        cr_assert_eq(x.read->detached, detached);
        cr_assert_eq(section_size(x.read), BLOB_LIST_REF + (detached ? 0 : BLOB_MODULE_SIZE));
        cr_assert_eq(attach(&x, x.p.list.data, x.p.list.size), DIAG_OK, "%s", x.p.diag.text);
        cr_assert_eq(x.read->n_modules, 1);
        cr_expect(x.read->listed);
        const struct blob_module *m = &x.read->modules[0];
        cr_expect_str_eq(m->name, x.p.module.name);
        cr_expect_eq(m->size, x.p.module.size);
        cr_expect_arr_eq(m->source_sha256, x.p.module.source_sha256, BLOB_DIGEST);
        cr_expect_arr_eq(m->mpy_sha256, x.p.module.mpy_sha256, BLOB_DIGEST);
        teardown(&x);
    }
}

Test(blob_list, any_other_is_refused)
{
    for (int detached = 0; detached < 2; detached++) {
        struct listed x;
        setup(&x, detached);
        struct bytes_out *list = &x.p.list;
        for (size_t i = 0; i < list->size; i++) {
            list->data[i] ^= 0x20;
            cr_expect_eq(attach(&x, list->data, list->size),
                         i < LIST_MAGIC ? DIAG_MALFORMED : DIAG_NO, "byte %zu", i);
            list->data[i] ^= 0x20;
            cr_expect_eq(attach(&x, list->data, i), i < LIST_MAGIC ? DIAG_MALFORMED : DIAG_NO,
                         "length %zu", i);
        }
        cr_expect_not(x.read->listed);
        cr_expect_eq(x.read->n_modules, detached ? 0 : 1);
        bytes_put_u8(list, 0);
        cr_expect_eq(attach(&x, list->data, list->size), DIAG_NO);
        teardown(&x);
    }
}

// The digest is right, what it is of is not: no names are made of that.
Test(blob_list, the_signed_list_must_be_sound)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } cases[] = {
        {0, 2}, // the count that the blob has of it: 1 is right
        {0, 0xff},
        {LIST_MAGIC + 3, 1}, // out of the payload
        {LIST_MAGIC + 7, 1},
        {LIST_MAGIC + 8, 2},
        {LIST_MAGIC + 9, 0},
        {LIST_MAGIC + 9, 255},
        {LIST_MAGIC + LIST_HEAD, 0}, // a NUL in a name
    };
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct listed x;
        setup(&x, i % 2);
        if (cases[i / 2].at == 0) {
            x.read->detached = true; // records are counted
            x.read->list.n = cases[i / 2].value;
        } else {
            x.p.list.data[cases[i / 2].at] = cases[i / 2].value;
        }
        sha256(x.p.list.data, x.p.list.size, x.read->list.sha256);
        cr_expect_eq(attach(&x, x.p.list.data, x.p.list.size), DIAG_MALFORMED, "case %u", i);
        cr_expect_not(x.read->listed);
        teardown(&x);
    }
}

// Two forms of one truth: the list may say more than a record, but nothing else.
Test(blob_list, the_list_must_say_what_the_records_say)
{
    static const struct {
        unsigned at;
        enum diag_code result; // with records
    } cases[] = {
        {LIST_MAGIC + 8, DIAG_MALFORMED},                        // kind
        {LIST_MAGIC + 10, DIAG_MALFORMED},                       // source
        {LIST_MAGIC + 10 + BLOB_MODULE_TAG - 1, DIAG_MALFORMED}, // its tag's last byte
        {LIST_MAGIC + 10 + BLOB_MODULE_TAG, DIAG_OK},            // what the record has not
        {LIST_MAGIC + 10 + BLOB_DIGEST, DIAG_OK},                // .mpy
        {LIST_MAGIC + LIST_HEAD, DIAG_MALFORMED},                // name
    };
    for (unsigned i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        struct listed x;
        setup(&x, i % 2);
        x.p.list.data[cases[i / 2].at] ^= 1;
        sha256(x.p.list.data, x.p.list.size, x.read->list.sha256);
        cr_expect_eq(attach(&x, x.p.list.data, x.p.list.size),
                     i % 2 ? DIAG_OK : cases[i / 2].result, "case %u", i);
        teardown(&x);
    }
}

Test(blob_list, without_modules_there_is_none)
{
    struct listed x;
    setup(&x, false);
    x.p.model.n_modules = 0;
    product_make(&x.p, nobody);
    cr_expect_eq(x.p.list.size, 0);
    cr_assert_eq(blob_read(x.p.blob.data, x.p.blob.size, "x", &x.p.arena, &x.p.diag, &x.read),
                 DIAG_OK);
    cr_expect_eq(section_size(x.read), 0);
    cr_expect_eq(attach(&x, "mpy-freeze list\n", LIST_MAGIC), DIAG_NO);
    teardown(&x);
}

// Names in the payload

enum { NAMES_MAX = 3, PAYLOAD = 800 };

struct name_case {
    unsigned at[NAMES_MAX], length[NAMES_MAX], n;
    enum blob_fault fault;
};

// A blob without modules gets records of such names, from its room for signatures.
static enum blob_fault fault_of_names(const struct name_case *c)
{
    static uint8_t payload[PAYLOAD];
    const struct blob b = {.addr = 0x2000, .payload = payload, .payload_size = PAYLOAD};
    const uint32_t size = BLOB_LIST_REF + c->n * BLOB_MODULE_SIZE, from = BLOB_HEADER + PAYLOAD;
    struct bytes_out out;
    struct blob_layout l;
    bytes_out_init(&out);
    cr_assert_eq(blob_write(&b, &out, NULL), DIAG_OK);
    memset(out.data + BLOB_HEADER, 'n', PAYLOAD);
    st32(out.data + BLOB_AT_SECTIONS + BLOB_MODULES * BLOB_SECTION_ENTRY, size);
    st32(out.data + BLOB_AT_SIGNATURE_SPACE, ld32(out.data + BLOB_AT_SIGNATURE_SPACE) - size);
    st32(out.data + from, c->n);
    for (unsigned i = 0; i < c->n; i++) {
        out.data[BLOB_HEADER + c->at[i] + c->length[i]] = 0;
        st32(out.data + from + BLOB_LIST_REF + i * BLOB_MODULE_SIZE, 2 * c->at[i] + i % 2);
    }
    enum blob_fault fault = blob_layout_read(out.data, (uint32_t)out.size, &l);
    bytes_out_free(&out);
    return fault;
}

Test(blob_list, names_lie_in_the_payload_one_behind_the_other)
{
    static const struct name_case cases[] = {
        {{0}, {1}, 1, BLOB_SOUND},
        {{0}, {BLOB_NAME_MAX}, 1, BLOB_SOUND},
        {{0}, {BLOB_NAME_MAX + 1}, 1, BLOB_FAULT_MODULES},
        {{0}, {0}, 1, BLOB_FAULT_MODULES},
        {{PAYLOAD - 2}, {1}, 1, BLOB_SOUND},
        {{PAYLOAD - 1}, {0}, 1, BLOB_FAULT_MODULES},
        {{0, 2, 4}, {1, 1, 1}, 3, BLOB_SOUND},
        {{9, 300, 700}, {200, 255, 99}, 3, BLOB_SOUND},
        {{9, 300, 700}, {200, 255, 100}, 3, BLOB_FAULT_MODULES}, // its NUL is behind the payload
        {{0, 0}, {1, 1}, 2, BLOB_FAULT_MODULES},                 // the same
        {{9, 0}, {1, 1}, 2, BLOB_FAULT_MODULES},                 // before
        {{0, 2}, {5, 3}, 2, BLOB_FAULT_MODULES},                 // the end of the one before
        {{0, 6}, {5, 3}, 2, BLOB_SOUND},                         // right behind it
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(fault_of_names(&cases[i]), cases[i].fault, "case %u", i);
    }
}
