// boards: what the program knows of boards.
#include <inttypes.h>
#include <string.h>

#include "packer/boards/board.h"
#include "packer/cli/cli.h"

static cli_run boards_run;

const struct cli_command cmd_boards = {
    .name = "boards",
    .summary = "list the boards that --board knows",
    .usage = "boards [--json] [NAME|FILE.ini ...]\n\n"
             "Lists the boards with their memory: where the firmware lies, file system, ROMFS.\n"
             "With names, shows these boards in full.\n\n"
             "A board of your own is a small file:\n"
             "  [ACME_LOGGER]\n"
             "  like = PYBV11\n"
             "  fs = 0x080c0000:256K\n"
             "It is given as --board acme.ini. Keys: title alias like port mcu machine container\n"
             "flash app fs romfs ignore by-offset note; ranges are START:SIZE.\n\n"
             "Options:\n"
             "  --json    as JSON\n\n"
             "Example:\n  mpy-freeze boards OPENMV4P",
    .run = boards_run,
};

static void boards_json_ranges(struct json *j, const char *key, const struct board_ranges *r)
{
    json_array(j, key);
    for (unsigned i = 0; i < r->n; i++) {
        json_object(j, NULL);
        json_addr(j, "start", r->at[i].start);
        json_uint(j, "size", r->at[i].size);
        json_object_end(j);
    }
    json_array_end(j);
}

static void boards_json_aliases(struct cli *cli, struct json *j, const char *aliases)
{
    json_array(j, "aliases");
    for (const char *s = aliases; *s; s += strspn(s, " ")) {
        size_t n = strcspn(s, " ");
        const char *name = arena_strndup(&cli->arena, s, n);
        if (name) {
            json_str(j, NULL, name);
        }
        s += n;
    }
    json_array_end(j);
}

static void boards_json_one(struct cli *cli, struct json *j, const struct board *b)
{
    json_object(j, NULL);
    json_str(j, "name", b->name);
    json_str(j, "title", b->title);
    boards_json_aliases(cli, j, b->aliases);
    json_str(j, "port", b->port);
    json_str(j, "mcu", b->mcu);
    json_str(j, "machine", *b->machine ? b->machine : NULL);
    json_str(j, "container", b->container);
    json_str(j, "space", b->by_offset ? "flash-offset" : "address");
    boards_json_ranges(j, "flash", &b->flash);
    boards_json_ranges(j, "app", &b->app);
    boards_json_ranges(j, "fs", &b->fs);
    boards_json_ranges(j, "romfs", &b->romfs);
    json_str(j, "note", *b->note ? b->note : NULL);
    json_object_end(j);
}

static void boards_size(char *buf, size_t size, uint64_t bytes)
{
    if (bytes % (1 << 20) == 0) {
        snprintf(buf, size, "%" PRIu64 "M", bytes >> 20);
    } else {
        snprintf(buf, size, "%" PRIu64 "K", bytes >> 10);
    }
}

static void boards_print_row(struct bytes_out *out, const struct board *b)
{
    char app[24], flash[24];
    boards_size(app, sizeof app, b->app.n ? b->app.at[b->app.n - 1].size : 0);
    boards_size(flash, sizeof flash, b->flash.n ? b->flash.at[0].size : 0);
    bytes_printf(out, "%-30s %-9s %-18s %-6s %-6s %s\n", b->name, b->port, b->mcu, flash, app,
                 b->title);
}

static void boards_print_ranges(struct bytes_out *out, const char *name,
                                const struct board_ranges *r)
{
    for (unsigned i = 0; i < r->n; i++) {
        char size[24];
        boards_size(size, sizeof size, r->at[i].size);
        bytes_printf(out, "  %-10s 0x%08" PRIx64 " to 0x%08" PRIx64 "  %s\n", i ? "" : name,
                     r->at[i].start, r->at[i].start + r->at[i].size, size);
    }
}

static void boards_print_full(struct bytes_out *out, const struct board *b)
{
    bytes_printf(out, "%s: %s\n  %-10s %s, %s, usually %s\n", b->name, b->title, "board", b->port,
                 b->mcu, b->container);
    if (*b->aliases) {
        bytes_printf(out, "  %-10s %s\n", "also", b->aliases);
    }
    if (*b->machine) {
        bytes_printf(out, "  %-10s %s\n", "calls", b->machine);
    }
    boards_print_ranges(out, b->by_offset ? "chip" : "flash", &b->flash);
    boards_print_ranges(out, "firmware", &b->app);
    boards_print_ranges(out, "files", &b->fs);
    boards_print_ranges(out, "romfs", &b->romfs);
    if (*b->note) {
        bytes_printf(out, "  %-10s %s\n", "note", b->note);
    }
}

// The boards to show: those named, or all.
static enum diag_code boards_choose(struct cli *cli, const struct cli_list *names,
                                    struct boards **out)
{
    if (names->n == 0) {
        return boards_load(&cli->arena, &cli->diag, out);
    }
    struct boards *some = ARENA_NEW(&cli->arena, struct boards);
    if (!some || !(some->at = ARENA_ARRAY(&cli->arena, struct board, names->n))) {
        return diag_nomem(&cli->diag);
    }
    for (; some->n < names->n; some->n++) {
        const struct board *b;
        enum diag_code err = board_find(names->items[some->n], &cli->arena, &cli->diag, &b);
        if (err) {
            return err;
        }
        some->at[some->n] = *b;
    }
    *out = some;
    return DIAG_OK;
}

static void boards_json(struct cli *cli, struct bytes_out *out, const struct boards *boards)
{
    struct json j;
    json_init(&j, out);
    json_object(&j, NULL);
    json_str(&j, "schema", "mpy-freeze/boards/1");
    json_array(&j, "boards");
    for (unsigned i = 0; i < boards->n; i++) {
        boards_json_one(cli, &j, &boards->at[i]);
    }
    json_array_end(&j);
    json_object_end(&j);
    json_end(&j);
}

static enum diag_code boards_run(struct cli *cli, int argc, char **argv)
{
    bool helped, json = false;
    struct cli_list names = {0};
    struct boards *boards;
    const struct cli_option options[] = {
        {"--json", NULL, CLI_FLAG, &json}, {NULL, NULL, CLI_REST, &names}, {0}};
    enum diag_code err = cli_parse(cli, &cmd_boards, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if ((err = boards_choose(cli, &names, &boards))) {
        return err;
    }
    struct bytes_out out;
    bytes_out_init(&out);
    if (json) {
        boards_json(cli, &out, boards);
        return cli_print(cli, &out);
    }
    if (!names.n) {
        bytes_printf(&out, "%-30s %-9s %-18s %-6s %-6s %s\n", "NAME", "PORT", "MCU", "FLASH", "APP",
                     "BOARD");
    }
    for (unsigned i = 0; i < boards->n; i++) {
        if (names.n) {
            boards_print_full(&out, &boards->at[i]);
        } else {
            boards_print_row(&out, &boards->at[i]);
        }
    }
    return cli_print(cli, &out);
}
