// Lists of modules that are kept outside of their blob.
#include <criterion/criterion.h>

#include "format/sha256.h"
#include "tests/unit/product_fixture.h"

enum { LIST_HEAD = 16 };

struct detached {
    struct product p;
    struct bytes_out list;
    struct blob *read;
};

static const char *const nobody[] = {NULL};

static void setup(struct detached *x)
{
    product_init(&x->p, IMAGE_BIN);
    bytes_out_init(&x->list);
    cr_assert_eq(blob_detach(&x->p.model, &x->list, &x->p.diag), DIAG_OK);
    product_make(&x->p, nobody);
    cr_assert_eq(blob_read(x->p.blob.data, x->p.blob.size, "x", &x->p.arena, &x->p.diag, &x->read),
                 DIAG_OK, "%s", x->p.diag.text);
}

static void teardown(struct detached *x)
{
    bytes_out_free(&x->list);
    product_free(&x->p);
}

static enum diag_code attach(struct detached *x, const void *list, size_t size)
{
    diag_init(&x->p.diag);
    return blob_attach(x->read, list, size, "list", &x->p.arena, &x->p.diag);
}

Test(blob_list, the_blob_holds_its_digest_and_takes_it_back)
{
    struct detached x;
    setup(&x);
    cr_assert_eq(x.read->n_modules, 0);
    cr_assert_eq(x.read->list.n, 1);
    cr_assert_eq(x.read->layout.at[BLOB_MODULES + 1] - x.read->layout.at[BLOB_MODULES],
                 BLOB_LIST_REF);
    cr_assert_eq(attach(&x, x.list.data, x.list.size), DIAG_OK, "%s", x.p.diag.text);
    cr_assert_eq(x.read->n_modules, 1);
    cr_assert_str_eq(x.read->modules[0].name, x.p.module.name);
    cr_assert_arr_eq(x.read->modules[0].mpy_sha256, x.p.module.mpy_sha256, BLOB_DIGEST);
    teardown(&x);
}

Test(blob_list, any_other_is_refused)
{
    struct detached x;
    setup(&x);
    for (size_t i = 0; i < x.list.size; i++) {
        x.list.data[i] ^= 0x20;
        cr_expect_eq(attach(&x, x.list.data, x.list.size), i < LIST_HEAD ? DIAG_MALFORMED : DIAG_NO,
                     "byte %zu", i);
        x.list.data[i] ^= 0x20;
        cr_expect_eq(attach(&x, x.list.data, i), i < LIST_HEAD ? DIAG_MALFORMED : DIAG_NO,
                     "length %zu", i);
    }
    cr_expect_eq(x.read->n_modules, 0);
    bytes_put_u8(&x.list, 0);
    cr_expect_eq(attach(&x, x.list.data, x.list.size), DIAG_NO);
    teardown(&x);
}

// The digest is right, what it is of is not: no names are made of that.
Test(blob_list, the_signed_list_must_be_sound)
{
    static const struct {
        unsigned at;
        uint8_t value;
    } cases[] = {
        {0, 1},             // the count that the blob has of it: 1 is right
        {LIST_HEAD + 3, 1}, // out of the payload
        {LIST_HEAD + 7, 1},
        {LIST_HEAD + 8, 2},
        {LIST_HEAD + 9, 0},
        {LIST_HEAD + 9, 255},
        {LIST_HEAD + BLOB_MODULE_HEAD, 0}, // a NUL in a name
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct detached x;
        setup(&x);
        if (i == 0) {
            x.read->list.n = 2;
        } else {
            x.list.data[cases[i].at] = cases[i].value;
        }
        sha256(x.list.data, x.list.size, x.read->list.sha256);
        cr_expect_eq(attach(&x, x.list.data, x.list.size), DIAG_MALFORMED, "case %u", i);
        cr_expect_eq(x.read->n_modules, 0);
        teardown(&x);
    }
}

Test(blob_list, of_a_blob_that_has_its_modules_is_compared)
{
    struct detached x;
    setup(&x);
    x.p.model.list.n = 0;
    x.p.model.modules = &x.p.module;
    x.read = &x.p.model;
    cr_expect_eq(attach(&x, x.list.data, x.list.size), DIAG_OK);
    x.list.data[x.list.size - 1] ^= 1;
    cr_expect_eq(attach(&x, x.list.data, x.list.size), DIAG_NO);
    teardown(&x);
}

Test(blob_list, without_modules_there_is_none)
{
    struct product p;
    struct bytes_out list;
    product_init(&p, IMAGE_BIN);
    bytes_out_init(&list);
    p.model.n_modules = 0;
    cr_expect_eq(blob_detach(&p.model, &list, &p.diag), DIAG_NO);
    cr_expect_eq(list.size, 0);
    product_free(&p);
}
