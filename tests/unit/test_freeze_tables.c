// The lists of frozen names: what is found first, what is hidden, what must not move.
#include "freeze_fixture.h"

static struct fix x;

static void setup(void)
{
    fix_begin(&x);
}

static void teardown(void)
{
    fix_end(&x);
}

TestSuite(freeze_tables, .init = setup, .fini = teardown);

static struct fw_module stock[] = {
    {.kind = FW_MODULE_MPY, .name = "first.py", .addr = 0x7000},
    {.kind = FW_MODULE_MPY, .name = "pkg/__init__.py", .addr = 0x7100},
    {.kind = FW_MODULE_MPY, .name = "pkg/part.py", .addr = 0x7200},
    {.kind = FW_MODULE_MPY, .name = "pkgother.py", .addr = 0x7300},
};

static void with_stock(struct fw_module *modules, unsigned n, unsigned n_str)
{
    x.fw.modules = modules;
    x.fw.n_modules = n;
    x.fw.n_str = n_str;
}

static void freeze_names(const char *const *names, unsigned n)
{
    struct freeze_input in[8];
    for (unsigned i = 0; i < n; i++) {
        in[i] = fix_module_of(&x, names[i], NULL, 0, NULL, 0);
    }
    cr_assert_eq(fix_freeze(&x, in, n), DIAG_OK, "%s", x.diag.text);
    for (unsigned i = 0; i < n; i++) {
        cr_expect_str_eq(fix_str(&x, fix_at(x.out->name_at[i])), names[i]);
    }
}

// The i-th name of the new list.
static const char *name_at(unsigned i)
{
    const char *p = fix_str(&x, fix_at(x.out->names));
    while (i--) {
        cr_assert(*p, "the list ends early");
        p += strlen(p) + 1;
    }
    return p;
}

static uint64_t content_at(unsigned i)
{
    return fix_word(&x, fix_at(x.out->content) + 4 * (uint64_t)i);
}

Test(freeze_tables, new_names_stand_behind_the_first_and_ahead_of_the_rest)
{
    const char *names[] = {"new.py", "pkgother.py"};
    with_stock(stock, 4, 0);
    freeze_names(names, 2);
    const char *expected[] = {"first.py",        "new.py",      "pkgother.py",
                              "pkg/__init__.py", "pkg/part.py", ""};
    for (unsigned i = 0; i < 6; i++) {
        cr_assert_str_eq(name_at(i), expected[i]);
    }
    cr_assert_eq(content_at(0), 0x7000);
    cr_assert(content_at(2) >= FIX_ADDR); // the new one; the stock one is gone
    cr_assert_eq(content_at(3), 0x7100);
    cr_assert_eq(x.out->n_replaced, 1);
}

Test(freeze_tables, the_first_entry_keeps_its_name_and_gets_new_content)
{
    const char *names[] = {"first.py"};
    with_stock(stock, 4, 0);
    freeze_names(names, 1);
    cr_assert_str_eq(name_at(0), "first.py");
    cr_assert_str_eq(name_at(1), "pkg/__init__.py");
    cr_assert(content_at(0) >= FIX_ADDR);
}

Test(freeze_tables, a_module_hides_the_stock_package_of_its_name)
{
    const char *names[] = {"pkg.py"};
    with_stock(stock, 4, 0);
    freeze_names(names, 1);
    const char *expected[] = {"first.py", "pkg.py", "pkgother.py", ""};
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_str_eq(name_at(i), expected[i]);
    }
}

Test(freeze_tables, a_package_hides_the_stock_module_of_its_name)
{
    const char *names[] = {"pkgother/__init__.py", "pkg/part.py"};
    with_stock(stock, 4, 0);
    freeze_names(names, 2);
    const char *expected[] = {"first.py", "pkgother/__init__.py", "pkg/part.py", "pkg/__init__.py",
                              ""};
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_str_eq(name_at(i), expected[i]);
    }
}

Test(freeze_tables, a_hidden_first_entry_keeps_the_length_of_its_name)
{
    const char *names[] = {"first/__init__.py"};
    with_stock(stock, 4, 0);
    freeze_names(names, 1);
    cr_assert_str_eq(name_at(0), "-----.py");
    // An empty module stands there, which calls itself by that name.
    uint16_t id = fix_u16(&x, fix_module(&x, 0, 0));
    cr_assert_eq(id, fix_find(&x, "-----.py", 8));
    cr_assert_str_eq(name_at(1), "first/__init__.py");
}

static struct fw_module texts[] = {
    {.kind = FW_MODULE_STR, .name = "boot.py"},
    {.kind = FW_MODULE_STR, .name = "main.py"},
    {.kind = FW_MODULE_MPY, .name = "first.py", .addr = 0x7000},
};

Test(freeze_tables, the_number_of_texts_stays_where_code_may_know_it)
{
    const char *names[] = {"main.py"};
    with_stock(texts, 3, 2);
    freeze_names(names, 1); // no references to the sizes: they were computed away
    const char *expected[] = {"boot.py", "----.py", "main.py", "first.py", ""};
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_str_eq(name_at(i), expected[i]);
    }
    cr_assert_eq(x.out->str_sizes, FREEZE_NONE);
    cr_assert(content_at(0) >= FIX_ADDR);
}

Test(freeze_tables, texts_are_refused_where_the_firmware_cannot_take_more)
{
    struct freeze_input in = {.kind = FW_MODULE_STR,
                              .name = "t.py",
                              .file = "t.py",
                              .text = (const uint8_t *)"x = 1\n",
                              .text_size = 6};
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO);
    x.fw.str_sizes = 0x6000;
    diag_init(&x.diag);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO); // no references
}

Test(freeze_tables, texts_and_their_sizes)
{
    struct freeze_input in[] = {{.kind = FW_MODULE_STR,
                                 .name = "t.py",
                                 .file = "t.py",
                                 .text = (const uint8_t *)"x = 1\n",
                                 .text_size = 6},
                                {.kind = FW_MODULE_STR, .name = "empty.py", .file = "empty.py"}};
    x.fw.str_sizes = 0x6000;
    x.fw.str_content = 0x6100;
    x.fw.str_sizes_refs = (struct fw_refs){1, &x.ref};
    with_stock(stock, 4, 0);
    cr_assert_eq(fix_freeze(&x, in, 2), DIAG_OK, "%s", x.diag.text);
    uint64_t sizes = fix_at(x.out->str_sizes), content = fix_at(x.out->str_content);
    cr_assert_eq(fix_u32(&x, sizes), 6);
    cr_assert_eq(fix_u32(&x, sizes + 4), 1); // an empty text would end the list
    cr_assert_eq(fix_u32(&x, sizes + 8), 0);
    cr_assert_str_eq(fix_str(&x, content), "x = 1\n");
    cr_assert_str_eq(fix_str(&x, content + 7), "\n");
    cr_assert_str_eq(name_at(0), "t.py");
    cr_assert_str_eq(name_at(2), "first.py");
    cr_assert_eq(x.out->spans[0].size, 6);
    cr_assert_eq(fix_at(x.out->spans[0].offset), content);
}

// Whoever reads the product knows a text by its size and the NUL behind it.
Test(freeze_tables, texts_that_would_not_be_found_are_refused)
{
    static const uint8_t text[FW_TEXT_MAX + 1] = "x = 1\n";
    struct freeze_input in = {
        .kind = FW_MODULE_STR, .name = "t.py", .file = "t.py", .text = text, .text_size = 7};
    x.fw.str_sizes = 0x6000;
    x.fw.str_content = 0x6100;
    x.fw.str_sizes_refs = (struct fw_refs){1, &x.ref};
    with_stock(stock, 4, 0);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_MALFORMED);
    cr_expect(strstr(x.diag.text, "offset 6"), "%s", x.diag.text);
    uint8_t *longer = arena_alloc(&x.arena, sizeof text);
    memset(longer, ' ', sizeof text);
    in.text = longer;
    in.text_size = sizeof text;
    diag_init(&x.diag);
    cr_assert_eq(fix_freeze(&x, &in, 1), DIAG_NO);
    cr_expect(strstr(x.diag.text, "1048577"), "%s", x.diag.text);
}

static void refused_pair(const char *a, const char *b)
{
    struct freeze_input in[] = {fix_module_of(&x, a, NULL, 0, NULL, 0),
                                fix_module_of(&x, b, NULL, 0, NULL, 0)};
    in[0].file = "one/a.py";
    in[1].file = "two/b.py";
    diag_init(&x.diag);
    cr_assert_eq(fix_freeze(&x, in, 2), DIAG_USAGE, "%s and %s", a, b);
    cr_assert(strstr(x.diag.help, "one/a.py") || strstr(x.diag.help, "two/b.py"));
}

Test(freeze_tables, two_inputs_of_one_name_are_refused)
{
    refused_pair("same.py", "same.py");
    refused_pair("pkg.py", "pkg/__init__.py");
    refused_pair("a/b/c.py", "a/b.py");
    struct freeze_input in[] = {fix_module_of(&x, "pkg.py", NULL, 0, NULL, 0),
                                fix_module_of(&x, "pkg-x/__init__.py", NULL, 0, NULL, 0),
                                fix_module_of(&x, "pkg2/__init__.py", NULL, 0, NULL, 0)};
    diag_init(&x.diag);
    cr_assert_eq(fix_freeze(&x, in, 3), DIAG_OK);
}
