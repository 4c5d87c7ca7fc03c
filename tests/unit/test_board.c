#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "packer/boards/board.h"

static struct arena arena;
static struct diag diag;

static void setup(void)
{
    arena_init(&arena, 0);
    diag_init(&diag);
}

static void teardown(void)
{
    arena_free(&arena);
}

TestSuite(board, .init = setup, .fini = teardown);

static const struct board *find(const char *name)
{
    const struct board *b = NULL;
    cr_assert_eq(board_find(name, &arena, &diag, &b), DIAG_OK, "%s", diag.text);
    return b;
}

// Every entry: complete, unambiguous, and its parts lie in its memory without overlapping.
static void check_parts(const struct board *b, const struct board_ranges *r, const char *what)
{
    for (unsigned i = 0; i < r->n; i++) {
        bool inside = false;
        for (unsigned k = 0; k < b->flash.n; k++) {
            const struct board_range *f = &b->flash.at[k];
            inside |= r->at[i].start >= f->start &&
                      in_range(r->at[i].start - f->start, r->at[i].size, f->size);
        }
        cr_expect(inside, "%s: %s is outside the flash", b->name, what);
        for (unsigned k = 0; k < b->app.n; k++) {
            const struct board_range *a = &b->app.at[k];
            cr_expect(r == &b->app || r->at[i].start >= a->start + a->size ||
                          a->start >= r->at[i].start + r->at[i].size,
                      "%s: %s overlaps the firmware", b->name, what);
        }
    }
}

Test(board, the_table_is_consistent)
{
    struct boards *all;
    cr_assert_eq(boards_load(&arena, &diag, &all), DIAG_OK, "%s: %s", diag.file, diag.text);
    cr_assert_gt(all->n, 40);
    for (unsigned i = 0; i < all->n; i++) {
        const struct board *b = &all->at[i];
        cr_expect(b->app.n && b->flash.n && *b->title && *b->port && *b->mcu && *b->container,
                  "%s is incomplete", b->name);
        check_parts(b, &b->app, "app");
        check_parts(b, &b->fs, "fs");
        check_parts(b, &b->romfs, "romfs");
        cr_expect(i == 0 || strcmp(all->at[i - 1].name, b->name) != 0, "%s twice", b->name);
    }
}

Test(board, openmv_names_and_aliases)
{
    const char *names[] = {"OPENMV2",       "OPENMV3",   "OPENMV4",    "OPENMV4P", "OPENMVPT",
                           "OPENMV_RT1060", "openmv_n6", "OPENMV_AE3", "PICO",     "pyboard"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_expect_not_null(find(names[i]), "%s", names[i]);
    }
    cr_assert_str_eq(find("h7plus")->name, "OPENMV4P");
    cr_assert_eq(find("OPENMV4")->app.at[0].start, 0x08040000);
    cr_assert_eq(find("OPENMV4")->app.at[0].size, 1664 << 10);
}

Test(board, an_unknown_name_lists_what_is_near)
{
    const struct board *b;
    cr_assert_eq(board_find("RPI_PICO9", &arena, &diag, &b), DIAG_USAGE);
    cr_assert(strstr(diag.help, "RPI_PICO2_W"));
}

Test(board, the_machine_name_must_match_as_a_whole)
{
    struct boards *all;
    cr_assert_eq(boards_load(&arena, &diag, &all), DIAG_OK);
    cr_assert_str_eq(board_match(all, "OPENMV4P with STM32H743")->name, "OPENMV4P");
    cr_assert_str_eq(board_match(all, "Raspberry Pi Pico W with RP2040")->name, "RPI_PICO_W");
    cr_assert_str_eq(board_match(all, "Raspberry Pi Pico with RP2040")->name, "RPI_PICO");
    cr_assert_str_eq(board_match(all, "Raspberry Pi Pico 2 W with RP2350")->name, "RPI_PICO2_W");
    cr_assert_str_eq(board_match(all, "ESP32 module (spiram) with ESP32")->name, "ESP32_GENERIC");
    cr_assert_null(board_match(all, "Acme with STM32H743"));
}

Test(board, a_custom_board_is_one_small_file)
{
    struct boards *all, *own;
    cr_assert_eq(boards_load(&arena, &diag, &all), DIAG_OK);
    const char *text = "[ACME]\nlike = PYBV11\nfs = 0x080c0000:256K\napp = 0x08000000:768K\n";
    cr_assert_eq(boards_parse(text, "acme.ini", all, &arena, &diag, &own), DIAG_OK, "%s",
                 diag.text);
    cr_assert_eq(own->n, 1);
    cr_assert_str_eq(own->at[0].mcu, "STM32F405RG");
    cr_assert_eq(own->at[0].fs.at[0].start, 0x080c0000);
}

Test(board, wrong_files_name_the_line)
{
    static const struct {
        const char *text;
        unsigned line;
    } wrong[] = {
        {"[A]\nfs = 12\n", 2},       {"[A]\nfs = 0:0\n", 2},
        {"[A]\n\nfsx = 1:2\n", 3},   {"app = 1:2\n", 1},
        {"[A]\nlike = NOBODY\n", 2}, {"[A]\nflash = 0xffffffffffffffff:2\n", 2},
        {"[A]\nnot a line\n", 2},    {"[A]\napp = 1:1 2:1 3:1 4:1 5:1\n", 2},
        {"; nothing\n", 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct boards *own;
        diag_init(&diag);
        cr_expect_eq(boards_parse(wrong[i].text, "x.ini", NULL, &arena, &diag, &own),
                     DIAG_MALFORMED, "%s", wrong[i].text);
        cr_expect_eq(diag.line, wrong[i].line, "%s: line %u", wrong[i].text, diag.line);
    }
}

// An image of one segment in a firmware of one name.
static struct firmware fake(struct image *img, struct image_segment *s, uint64_t addr,
                            uint64_t size, const char *machine)
{
    *s = (struct image_segment){.addr = addr, .run = addr, .size = size, .name = "x"};
    *img = (struct image){.kind = IMAGE_BIN, .name = "x.bin", .n_segments = 1, .segments = s};
    return (struct firmware){.image = img, .board = machine};
}

Test(board, contradictions_are_refused)
{
    struct image img;
    struct image_segment s;
    const struct board *b = find("PYBV11");
    struct firmware fw = fake(&img, &s, 0x08020000, 0x40000, "PYBv1.1 with STM32F405RG");
    cr_assert_eq(board_check(b, &fw, &diag), DIAG_OK);
    fw = fake(&img, &s, 0x08020000, 0x40000, "PYBv1.0 with STM32F405RG");
    cr_assert_eq(board_check(b, &fw, &diag), DIAG_NO);
    diag_init(&diag);
    fw = fake(&img, &s, 0x10000000, 0x40000, "");
    cr_assert_eq(board_check(b, &fw, &diag), DIAG_NO);
    cr_assert(strstr(diag.text, "outside the memory"));
    diag_init(&diag);
    fw = fake(&img, &s, 0x08000000, 0x8000, "");
    cr_assert_eq(board_check(b, &fw, &diag), DIAG_NO);
    cr_assert(strstr(diag.text, "file system"));
}

Test(board, free_space_ends_at_what_must_stay)
{
    struct image img;
    struct image_segment s;
    struct fw_region *free;
    unsigned n;
    fake(&img, &s, 0x08020000, 0x40000, "");
    cr_assert_eq(board_free(find("PYBV11"), &img, &arena, &diag, &free, &n), DIAG_OK);
    cr_assert_eq(n, 1);
    cr_assert_eq(free[0].addr, 0x08060000);
    cr_assert_eq(free[0].size, 0xa0000);
    fake(&img, &s, 0x60000000, 0x40000, "");
    cr_assert_eq(board_free(find("TEENSY41"), &img, &arena, &diag, &free, &n), DIAG_OK);
    cr_assert_eq(free[0].addr + free[0].size, 0x600C0000);
    cr_assert_eq(board_free(find("ESP32_GENERIC"), &img, &arena, &diag, &free, &n), DIAG_OK);
    cr_assert_eq(n, 0);
}
