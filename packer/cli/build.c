#include "packer/cli/build.h"

#include <string.h>

#include "format/number.h"
#include "packer/sign/sign.h"

enum { BUILD_MEMORY = 2 << 20 }; // what a look at a small firmware takes, and a huge page

void build_options(struct build *b, struct cli_option rows[BUILD_OPTIONS])
{
    const struct cli_option list[] = {
        {"-f", "--firmware", CLI_VALUE, &b->firmware},
        {"-o", "--output", CLI_VALUE, &b->output},
        {"-k", "--key", CLI_LIST, &b->keys},
        {"--reserve-signatures", NULL, CLI_UINT, &b->reserve_signatures},
        {"--passphrase-file", NULL, CLI_VALUE, &b->passphrase_file},
        {"--type", NULL, CLI_VALUE, &b->type},
        {"--board", NULL, CLI_VALUE, &b->board},
        {"--region", NULL, CLI_VALUE, &b->region},
        {"--boot", NULL, CLI_VALUE, &b->boot},
        {"--main", NULL, CLI_VALUE, &b->main},
        {"-O", NULL, CLI_VALUE, &b->opt_level},
        {"--strip", NULL, CLI_FLAG, &b->inputs.strip},
        {"--release", NULL, CLI_VALUE, &b->inputs.release},
        {"--app", NULL, CLI_VALUE, &b->splice.app},
        {"--app-version", NULL, CLI_VALUE, &b->splice.app_version},
        {"--counter", NULL, CLI_UINT, &b->splice.counter},
        {"--list-modules", NULL, CLI_FLAG, &b->list_modules},
        {"--detach-modules", NULL, CLI_FLAG, &b->splice.detach_modules},
        {"--define", "-D", CLI_LIST, &b->list.defines},
        {"--unix-ffi", NULL, CLI_FLAG, &b->list.unix_ffi},
        {"--project", NULL, CLI_VALUE, &b->project},
        {"--strict", NULL, CLI_FLAG, &b->strict},
        {"--json", NULL, CLI_FLAG, &b->json},
        {NULL, NULL, CLI_REST, &b->args},
        {0},
    };
    memcpy(rows, list, sizeof list);
}

enum diag_code build_type(struct cli *cli, const char *type, enum image_kind *kind)
{
    *kind = type ? image_kind_find(type) : IMAGE_AUTO;
    if (type && *kind == IMAGE_AUTO) {
        return cli_usage_error(cli, "--type knows no '%s'", type);
    }
    return DIAG_OK;
}

static enum diag_code parse_region(struct cli *cli, struct build *b)
{
    const char *p = b->region;
    if (!p) {
        return DIAG_OK;
    }
    uint64_t end;
    bool good = number_size(&p, &b->by_hand.addr) && *p++ == ':' &&
                number_size(&p, &b->by_hand.size) && !*p;
    if (!good || !ck_add(b->by_hand.addr, b->by_hand.size, &end)) {
        return cli_usage_error(cli, "--region takes START:SIZE (0x10080000:256K), not '%s'",
                               b->region);
    }
    b->by_hand.why = "given by hand";
    return DIAG_OK;
}

static enum diag_code parse_opt_level(struct cli *cli, struct build *b)
{
    const char *s = b->opt_level;
    if (s && (s[0] < '0' || s[0] > '3' || s[1])) {
        return cli_usage_error(cli, "-O takes 0 to 3, not '%s'", s);
    }
    b->inputs.opt_level = s ? (unsigned)(s[0] - '0') : 0;
    return DIAG_OK;
}

static enum diag_code check_lengths(struct cli *cli, const struct build *b)
{
    const char *texts[] = {b->splice.app, b->splice.app_version};
    for (int i = 0; i < 2; i++) {
        if (texts[i] && strlen(texts[i]) >= BLOB_TEXT) {
            return cli_usage_error(cli, "%s takes at most %d bytes", i ? "--app-version" : "--app",
                                   BLOB_TEXT - 1);
        }
    }
    return DIAG_OK;
}

// Room for the largest kind of signature, as nobody knows yet who will sign.
static enum diag_code check_signatures(struct cli *cli, struct build *b)
{
    const uint32_t record = BLOB_SIGNATURE_HEAD + blob_layout_signature_size(BLOB_RSA_PSS_3072);
    uint64_t n = b->reserve_signatures;
    if (n > BLOB_SIGNATURES_MAX) {
        return cli_usage_error(cli, "--reserve-signatures takes 1 to %d", BLOB_SIGNATURES_MAX);
    }
    if (n) {
        b->splice.signature_space = (uint32_t)n * record;
    }
    return DIAG_OK;
}

bool build_lists(const struct build *b)
{
    return b->list_modules || b->splice.detach_modules;
}

const char *build_list_name(struct cli *cli, const struct build *b)
{
    return arena_printf(&cli->arena, "%s.modules", b->output);
}

bool build_reads(const struct build *b, unsigned i, const char **file)
{
    const char *const files[] = {b->firmware,        b->boot,  b->main,
                                 b->passphrase_file, b->board, b->project};
    const struct cli_list lists[] = {
        {sizeof files / sizeof *files, (const char **)files}, b->keys, b->args, b->list.manifests};
    for (unsigned k = 0; k < sizeof lists / sizeof *lists; k++) {
        if (i < lists[k].n) {
            *file = lists[k].items[i];
            return true;
        }
        i -= lists[k].n;
    }
    return false;
}

static enum diag_code check_named(struct cli *cli, const struct build *b, const char *output)
{
    enum diag_code err = DIAG_OK;
    const char *file;
    for (unsigned i = 0; !err && build_reads(b, i, &file); i++) {
        err = cli_distinct(cli, output, file);
    }
    return err;
}

// The same for the inputs that were loaded.
static enum diag_code check_loaded(struct cli *cli, const struct build *b, const char *output)
{
    const struct file_id id = file_identify(output);
    for (unsigned i = 0; i < b->list.n; i++) {
        if (file_id_same(id, b->list.items[i].id)) {
            return cli_replaces(cli, output);
        }
    }
    return DIAG_OK;
}

typedef enum diag_code output_check(struct cli *cli, const struct build *b, const char *output);

static enum diag_code check_outputs(struct cli *cli, const struct build *b, output_check *check)
{
    enum diag_code err = check(cli, b, b->output);
    if (err || !build_lists(b)) {
        return err;
    }
    const char *name = build_list_name(cli, b);
    return name ? check(cli, b, name) : diag_nomem(&cli->diag);
}

enum diag_code build_check(struct cli *cli, struct build *b)
{
    if (!b->firmware) {
        return cli_usage_error(cli, "-f FIRMWARE is missing");
    }
    if (!b->output) {
        return cli_usage_error(cli, "-o OUTPUT is missing");
    }
    if (!b->args.n && !b->boot && !b->main) {
        return cli_usage_error(cli, "there is nothing to freeze");
    }
    if (b->json && file_is_stdout(b->output)) {
        return cli_usage_error(cli, "--json and -o %s both want standard output", b->output);
    }
    if (build_lists(b) && file_is_stdout(b->output)) {
        return cli_usage_error(cli, "%s writes OUTPUT.modules: -o needs a name",
                               b->list_modules ? "--list-modules" : "--detach-modules");
    }
    enum diag_code err = check_outputs(cli, b, check_named);
    err = err ? err : build_type(cli, b->type, &b->kind);
    err = err ? err : parse_region(cli, b);
    err = err ? err : parse_opt_level(cli, b);
    err = err ? err : check_signatures(cli, b);
    return err ? err : check_lengths(cli, b);
}

// A firmware hardly ever holds a splice already, so its digest is begun before that is known.
static enum diag_code take_out(struct cli *cli, struct build *b)
{
    struct bytes_out base;
    struct blob *found;
    jmp_buf *on_fail = cli->arena.on_fail; // base must be freed before anything jumps
    cli->arena.on_fail = NULL;
    bytes_out_init(&base);
    b->base = b->file.data;
    b->base_size = b->file.size;
    b->digests = blob_base_new(b->base, b->base_size, &cli->arena);
    enum diag_code err = splice_open(b->file.data, b->file.size, b->firmware, b->kind, &cli->arena,
                                     &cli->diag, &b->image, &found, &base);
    if (!err && found) {
        b->taken_out = found;
        b->base = arena_dup(&cli->arena, base.data, base.size);
        b->base_size = base.size;
        b->digests = b->base ? blob_base_new(b->base, b->base_size, &cli->arena) : NULL;
        err = b->digests ? splice_check_base(found, b->digests, b->firmware, &cli->diag) : DIAG_OK;
    }
    bytes_out_free(&base);
    cli->arena.on_fail = on_fail;
    return err || b->digests ? err : diag_nomem(&cli->diag);
}

enum diag_code build_open_base(struct cli *cli, struct build *b)
{
    arena_expect(&cli->arena, BUILD_MEMORY);
    enum diag_code err = file_read(b->firmware, &cli->arena, &cli->diag, &b->file);
    return err ? err : take_out(cli, b);
}

enum diag_code build_open(struct cli *cli, struct build *b)
{
    enum diag_code err = build_list(cli, b);
    b->ahead = err ? NULL : inputs_begin(cli, &b->list);
    err = err ? err : build_open_base(cli, b);
    if (!err && b->taken_out) {
        err = image_read(b->base, b->base_size, b->firmware, b->kind, &cli->arena, &cli->diag,
                         &b->image);
    }
    bool mapped = !err && b->image->base_known; // else the scan finds the base address
    err = err || !mapped ? err : blob_base_map(b->digests, b->image, &cli->diag);
    if (err) {
        return err;
    }
    err = firmware_scan(b->image, &cli->diag, &b->fw);
    if (err) {
        return err == DIAG_NO && !b->fw ? DIAG_MALFORMED : err; // no firmware at all
    }
    err = mapped ? DIAG_OK : blob_base_map(b->digests, b->image, &cli->diag);
    b->splice.base = b->digests;
    err = err ? err : freeze_possible(b->fw, &cli->diag);
    return err ? err : build_place(cli, b);
}

enum diag_code build_list(struct cli *cli, struct build *b)
{
    enum diag_code err = DIAG_OK;
    if (b->list.n) {
        return DIAG_OK;
    }
    for (unsigned i = 0; i < b->args.n && !err; i++) {
        err = inputs_add(cli, &b->list, b->args.items[i]);
    }
    if (!err && b->boot) {
        err = inputs_add_as(cli, &b->list, b->boot, "boot.py");
    }
    if (!err && b->main) {
        err = inputs_add_as(cli, &b->list, b->main, "main.py");
    }
    return err;
}

static enum diag_code sign(struct cli *cli, struct build *b)
{
    struct sign_passphrase pass = {.file = b->passphrase_file, .prompt = true};
    struct sign_key *key;
    enum diag_code err = DIAG_OK;
    for (unsigned i = 0; i < b->keys.n && !err; i++) {
        err = sign_key_read(b->keys.items[i], &pass, &cli->arena, &cli->diag, &key);
        err =
            err ? err
                : sign_begin(b->blob.data, b->blob.size, key, &cli->arena, &cli->diag, &b->checks);
    }
    return err;
}

enum diag_code build_settle(struct cli *cli, struct build *b)
{
    return sign_end(b->checks, &cli->diag);
}

enum diag_code build_blob(struct cli *cli, struct build *b)
{
    enum diag_code err = check_outputs(cli, b, check_named); // now that manifests were read
    err = err ? err : inputs_load(cli, &b->list, b->ahead, b->fw, &b->inputs, &b->modules);
    err = err ? err : check_outputs(cli, b, check_loaded);
    err = err ? err : production_check(cli, b->fw, b->modules, b->list.n, &b->production);
    err = err ? err : production_report(cli, &b->production, b->strict, b->quiet);
    err = err ? err
              : splice_plan(b->fw, b->modules, b->list.n, &b->splice, &cli->arena, &cli->diag,
                            &b->plan);
    if (err) {
        return err;
    }
    // From here on there is memory that build_free must free: nothing may jump over that.
    cli->arena.on_fail = NULL;
    bytes_out_init(&b->blob);
    err = blob_write(&b->plan->blob, &b->blob, &cli->diag);
    err = err ? err : bytes_out_check(&b->blob, &cli->diag);
    return err ? err : sign(cli, b);
}

enum diag_code build_read_back(struct cli *cli, struct build *b, struct blob **blob)
{
    enum diag_code err =
        blob_read(b->blob.data, b->blob.size, b->output, &cli->arena, &cli->diag, blob);
    if (err || !(*blob)->detached) {
        return err;
    }
    return blob_attach(*blob, b->plan->list, b->plan->list_size, b->output, &cli->arena,
                       &cli->diag);
}

// The list of the modules on its way to the disk; *pending is NULL where nobody asked for it.
static enum diag_code begin_list(struct cli *cli, const struct build *b,
                                 struct file_pending **pending)
{
    *pending = NULL;
    if (!b->plan || !build_lists(b)) {
        return DIAG_OK;
    }
    const char *name = build_list_name(cli, b);
    *pending =
        name ? file_begin(name, b->plan->list, b->plan->list_size, FILE_DATA, true, &cli->arena)
             : NULL;
    return *pending ? DIAG_OK : diag_nomem(&cli->diag);
}

enum diag_code build_write_list(struct cli *cli, const struct build *b)
{
    struct file_pending *list;
    enum diag_code err = begin_list(cli, b, &list);
    return err || !list ? err : file_commit(list, &cli->diag);
}

// The product goes to the disk while it is still being proven, but gets its name only afterwards:
// last of all, so that whoever sees it finds its list, too.
static enum diag_code write_proven(struct cli *cli, struct build *b, const struct splice_parts *p,
                                   const struct bytes_out *product)
{
    struct file_pending *list, *pending = file_begin(b->output, product->data, product->size,
                                                     file_mode_of(b->firmware), true, &cli->arena);
    enum diag_code err = begin_list(cli, b, &list);
    err = err ? err : splice_prove(p, product, &cli->arena, &cli->diag);
    err = err ? err : build_settle(cli, b);
    err = err || !b->reports ? err : build_report(cli, b);
    err = err ? err
              : file_await(pending, &cli->diag); // else a new list would stand by an old product
    if (err) {
        file_drop(list);
    } else if (list) {
        err = file_commit(list, &cli->diag);
    }
    if (err) {
        file_drop(pending);
        return err;
    }
    return file_commit(pending, &cli->diag);
}

enum diag_code build_product(struct cli *cli, struct build *b, const struct blob *blob)
{
    const struct splice_parts parts = {.base = b->base,
                                       .base_size = b->base_size,
                                       .name = b->firmware,
                                       .kind = b->kind,
                                       .blob = blob,
                                       .digests = b->digests,
                                       .planned = b->plan != NULL};
    struct bytes_out product;
    jmp_buf *on_fail = cli->arena.on_fail; // product must be freed before anything jumps
    cli->arena.on_fail = NULL;
    bytes_out_init(&product);
    enum diag_code err = splice_make(&parts, &cli->arena, &cli->diag, &product);
    if (!err && b->app_limit && product.size > b->app_limit) {
        err = diag_set(&cli->diag, DIAG_NO, b->output,
                       "the product has %zu bytes, the partition of the board %llu", product.size,
                       (unsigned long long)b->app_limit);
    }
    err = err ? err : write_proven(cli, b, &parts, &product);
    bytes_out_free(&product);
    cli->arena.on_fail = on_fail;
    return err;
}

void build_free(struct build *b)
{
    bytes_out_free(&b->blob);
}

static uint64_t module_bytes(const struct build *b)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < b->list.n; i++) {
        total += b->plan->module_sizes[i];
    }
    return total;
}

static void report_json(const struct build *b, struct bytes_out *out)
{
    const struct splice_plan *p = b->plan;
    struct json j;
    json_init(&j, out);
    json_object(&j, NULL);
    json_str(&j, "schema", "mpy-freeze/build/1");
    json_str(&j, "output", b->output);
    json_str(&j, "firmware_version", b->fw->version);
    json_bool(&j, "signed", b->keys.n > 0);
    json_bool(&j, "replaced_splice", b->taken_out != NULL);
    json_array(&j, "modules");
    for (unsigned i = 0; i < b->list.n; i++) {
        json_object(&j, NULL);
        json_str(&j, "name", b->modules[i].in.name);
        json_str(&j, "kind", b->modules[i].in.kind == FW_MODULE_STR ? "text" : "code");
        json_str(&j, "file", b->modules[i].in.file);
        json_uint(&j, "bytes", p->module_sizes[i]);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_uint(&j, "module_bytes", module_bytes(b));
    json_addr(&j, "address", p->blob.addr);
    json_addr(&j, "end", p->blob.addr + p->size);
    json_uint(&j, "bytes", p->size);
    json_uint(&j, "payload_bytes", p->blob.payload_size);
    json_uint(&j, "frozen_bytes", p->frozen->size);
    json_uint(&j, "code_bytes", p->blob.code.size);
    if (p->blob.code.size) {
        json_addr(&j, "code_address", p->blob.code.addr);
    }
    json_uint(&j, "new_names", p->frozen->n_qstrs);
    json_uint(&j, "hidden_stock_modules", p->frozen->n_replaced);
    json_uint(&j, "references", p->n_references);
    json_uint(&j, "patches", p->blob.n_patches);
    json_bool(&j, "pool_swapped", p->frozen->n_words != 0);
    json_uint(&j, "free_bytes", p->left);
    json_bool(&j, "modules_detached", p->blob.detached);
    json_bool(&j, "modules_listed", build_lists(b));
    json_addr(&j, "region_end", p->region.addr + p->region.size);
    json_str(&j, "region_why", p->region.why);
    production_json(&b->production, &j);
    json_object_end(&j);
    json_end(&j);
}

static void report_table(const struct build *b, struct bytes_out *out)
{
    const struct splice_plan *p = b->plan;
    for (unsigned i = 0; i < b->list.n; i++) {
        bytes_printf(out, "%8llu  %s\n", (unsigned long long)p->module_sizes[i],
                     b->modules[i].in.name);
    }
    bytes_printf(out, "%8llu  in %u module%s\n", (unsigned long long)module_bytes(b), b->list.n,
                 b->list.n == 1 ? "" : "s");
    bytes_printf(out, "blob      0x%llx to 0x%llx, %llu bytes, %s%s\n",
                 (unsigned long long)p->blob.addr, (unsigned long long)(p->blob.addr + p->size),
                 (unsigned long long)p->size, b->keys.n ? "signed" : "not signed",
                 b->taken_out ? "; it replaces the one that was there" : "");
    bytes_printf(out,
                 "patched   %u references in %u places; %u new names, %u stock modules hidden%s\n",
                 p->n_references, p->blob.n_patches, p->frozen->n_qstrs, p->frozen->n_replaced,
                 p->frozen->n_words ? "; the last qstr pool swapped where it was" : "");
    if (p->blob.code.size) {
        bytes_printf(
            out, "code      %u bytes of machine code at 0x%llx, which the blob holds as a patch\n",
            p->blob.code.size, (unsigned long long)p->blob.code.addr);
    }
    if (build_lists(b)) {
        bytes_printf(out, "list      %s.modules, %zu bytes, is no part of the blob\n", b->output,
                     p->list_size);
    }
    bytes_printf(out, "free      %llu bytes left in the region that ends at 0x%llx%s%s\n",
                 (unsigned long long)p->left, (unsigned long long)(p->region.addr + p->region.size),
                 p->region.why ? ": " : "", p->region.why ? p->region.why : "");
}

enum diag_code build_report(struct cli *cli, const struct build *b)
{
    struct bytes_out out;
    bytes_out_init(&out);
    (b->json ? report_json : report_table)(b, &out);
    if (!file_is_stdout(b->output)) {
        return cli_print(cli, &out);
    }
    enum diag_code err = bytes_out_check(&out, &cli->diag);
    if (!err) {
        diag_tame((char *)out.data, out.size);
        fwrite(out.data, 1, out.size, stderr);
    }
    bytes_out_free(&out);
    return err;
}
