// list: the frozen modules of an image or a blob.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "packer/cli/firmware_view.h"
#include "packer/cli/manifest_input.h"
#include "packer/manifest/path.h"

static cli_run list_run;

const struct cli_command cmd_list = {
    .name = "list",
    .summary = "list the frozen modules of an image, a blob or a manifest",
    .usage = "list FILE [--json] [--type TYPE] [--modules LIST]\n\n"
             "Lists the frozen modules: kind (mpy: compiled, str: source text), size, address,\n"
             "origin (stock: the vendor's, spliced: added by mpy-freeze) and name. Entries that\n"
             "the lookup can never reach, since an earlier one has the same name, are marked.\n"
             "Of a manifest.py: what it freezes, in order: kind (mpy: compiled, mpy-file, str),\n"
             "optimisation level, name and file.\n\n"
             "Options:\n"
             "  --json        as JSON\n"
             "  --modules LIST   the list that was written with a blob: it tells sizes and\n"
             "                addresses without the firmware, and all of a blob that was packed\n"
             "                with --detach-modules\n"
             "  --define VAR=VALUE   $(VAR) in the paths of a manifest: MPY_DIR, MPY_LIB_DIR,\n"
             "                PORT_DIR, BOARD_DIR and others\n"
             "  --unix-ffi    require() finds micropython-lib's unix-ffi packages first\n"
             "  --type TYPE   elf, bin, uf2, dfuse, ihex, esp, esp-flash; default: by content\n\n"
             "Example:\n  mpy-freeze list firmware.uf2",
    .run = list_run,
};

struct entry {
    const char *name, *kind, *origin;
    uint64_t addr, size;
    bool unplaced; // addr and size are not known
    bool shadowed;
};

struct entries {
    unsigned n;
    struct entry *at;
};

// --- the size of a compiled module: its tables, functions and constants. Strings of the qstr pools
// are shared and belong to nobody.

enum { SIZE_DEPTH = 64 };

static uint64_t float_size(const struct firmware *fw)
{
    if (fw->repr == FW_REPR_C || fw->repr == FW_REPR_D) {
        return 0; // within the object word
    }
    return fw->ptr + (fw->float_kind == FW_FLOAT_F64 ? 8 : 4);
}

static uint64_t obj_size(const struct firmware *fw, const struct mpy_obj *o, unsigned depth)
{
    uint64_t p = fw->ptr, word = fw->repr == FW_REPR_D ? 8 : p, size = 0;
    switch (o->kind) {
    case MPY_OBJ_STR:
    case MPY_OBJ_BYTES:
        return 4 * p + o->len + 1;
    case MPY_OBJ_INT: // decimal digits hold 3.33 bits each
        return fw->longint == FW_LONGINT_MPZ ? 4 * p + (o->len * 10 / 3 / 16 + 1) * 2 : p + 8;
    case MPY_OBJ_FLOAT:
        return float_size(fw);
    case MPY_OBJ_COMPLEX:
        return p + (fw->float_kind == FW_FLOAT_F64 ? 16 : 8);
    case MPY_OBJ_TUPLE:
        for (uint32_t i = 0; depth && i < o->len; i++) {
            size += word + obj_size(fw, &o->items[i], depth - 1);
        }
        return 2 * p + size;
    default:
        return 0;
    }
}

static uint64_t code_size(const struct firmware *fw, const struct mpy_code *c, unsigned depth)
{
    uint64_t size = c->size + mpy_machine(c)->rodata_size;
    for (uint32_t i = 0; c->v5 && i < c->v5->n_objs; i++) {
        size += obj_size(fw, &c->v5->objs[i], SIZE_DEPTH);
    }
    size += c->v5 ? (uint64_t)fw->ptr * (c->v5->n_args + c->v5->n_objs) : 0;
    bool bare = fw->profile->proto_fun && fw->save != FW_YES && c->kind == MPY_CODE_BYTECODE &&
                !c->n_children;
    if (!bare) {
        size += 3 * (uint64_t)fw->ptr + (fw->save == FW_YES ? 8 : 0);
    }
    for (uint32_t i = 0; depth && i < c->n_children; i++) {
        size += fw->ptr + code_size(fw, c->children[i], depth - 1);
    }
    return size;
}

static uint64_t module_size(const struct firmware *fw, const struct fw_module *m)
{
    struct mpy_module *tree;
    struct diag ignored;
    struct arena a; // of this module alone: an image may have many
    uint64_t size = 0;
    diag_init(&ignored);
    arena_init(&a, 0);
    if (!firmware_unfreeze(fw, m, &a, &ignored, &tree)) {
        uint64_t word = fw->repr == FW_REPR_D ? 8 : fw->ptr;
        size = tree->v5 ? 0 : 3 * (uint64_t)fw->ptr + 2 * (uint64_t)tree->n_qstr;
        size += word * tree->n_obj;
        for (uint32_t i = 0; i < tree->n_obj; i++) {
            size += obj_size(fw, &tree->objs[i], SIZE_DEPTH);
        }
        size += code_size(fw, tree->root, SIZE_DEPTH);
    }
    arena_free(&a);
    return size;
}

// --- entries

static void add_entry(struct entries *l, struct entry e)
{
    l->at[l->n++] = e;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = *(const struct entry *const *)a, *y = *(const struct entry *const *)b;
    int order = strcmp(x->name, y->name);
    return order ? order : x < y ? -1 : x > y;
}

// Of several entries of one name the VM takes the first.
static enum diag_code mark_shadowed(struct cli *cli, struct entries *l)
{
    struct entry **sorted = ARENA_ARRAY(&cli->arena, struct entry *, l->n);
    if (!sorted) {
        return diag_nomem(&cli->diag);
    }
    for (unsigned i = 0; i < l->n; i++) {
        sorted[i] = &l->at[i];
    }
    if (l->n) {
        qsort(sorted, l->n, sizeof *sorted, compare_entries);
    }
    for (unsigned i = 1; i < l->n; i++) {
        sorted[i]->shadowed = strcmp(sorted[i - 1]->name, sorted[i]->name) == 0;
    }
    return DIAG_OK;
}

static void from_firmware(const struct firmware_view *v, struct entries *l)
{
    for (unsigned i = 0; i < v->fw->n_modules; i++) {
        const struct fw_module *m = &v->fw->modules[i];
        add_entry(l, (struct entry){.name = m->name,
                                    .kind = m->kind == FW_MODULE_STR ? "str" : "mpy",
                                    .origin = m->spliced ? "spliced" : "stock",
                                    .addr = m->addr,
                                    .size = m->size ? m->size : module_size(v->fw, m)});
    }
}

static void from_blob(const struct blob *b, struct entries *l)
{
    for (unsigned i = 0; i < b->n_modules; i++) {
        const struct blob_module *m = &b->modules[i];
        add_entry(l, (struct entry){.name = m->name,
                                    .kind = m->kind == BLOB_MODULE_STR ? "str" : "mpy",
                                    .origin = "spliced",
                                    .addr = b->addr + BLOB_HEADER + m->offset,
                                    .size = m->size,
                                    .unplaced = !b->listed});
    }
}

static void print_json(const struct firmware_view *v, const struct entries *l,
                       struct bytes_out *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j, NULL);
    json_str(&j, "schema", "mpy-freeze/list/1");
    json_str(&j, "file", v->file.name);
    json_array(&j, "modules");
    for (unsigned i = 0; i < l->n; i++) {
        const struct entry *e = &l->at[i];
        json_object(&j, NULL);
        json_strn(&j, "name", e->name, strlen(e->name));
        json_str(&j, "kind", e->kind);
        if (e->unplaced) {
            json_null(&j, "size");
            json_null(&j, "address");
        } else {
            json_uint(&j, "size", e->size);
            json_addr(&j, "address", e->addr);
        }
        json_str(&j, "origin", e->origin);
        json_bool(&j, "shadowed", e->shadowed);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_object_end(&j);
    json_end(&j);
}

static void print_text(const struct entries *l, struct bytes_out *out)
{
    for (unsigned i = 0; i < l->n; i++) {
        const struct entry *e = &l->at[i];
        if (e->unplaced) {
            bytes_printf(out, "%s       -           -  %-7s  ", e->kind, e->origin);
        } else {
            bytes_printf(out, "%s %7" PRIu64 "  0x%08" PRIx64 "  %-7s  ", e->kind, e->size, e->addr,
                         e->origin);
        }
        for (const char *p = e->name; *p; p++) {
            bytes_put_u8(out, (uint8_t)((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p));
        }
        bytes_printf(out, "%s\n", e->shadowed ? "  (shadowed)" : "");
    }
}

static enum diag_code collect(struct cli *cli, const struct firmware_view *v, struct entries *l)
{
    unsigned n = v->image ? (v->fw ? v->fw->n_modules : 0) : v->blob->n_modules;
    l->n = 0;
    l->at = ARENA_ARRAY(&cli->arena, struct entry, n);
    if (!l->at) {
        return diag_nomem(&cli->diag);
    }
    if (!v->image) {
        from_blob(v->blob, l);
    } else if (v->fw) {
        from_firmware(v, l);
    }
    return mark_shadowed(cli, l);
}

static void manifest_json(const struct manifest *m, const char *file, struct bytes_out *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j, NULL);
    json_str(&j, "schema", "mpy-freeze/list/1");
    json_str(&j, "file", file);
    json_array(&j, "modules");
    for (unsigned i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        json_object(&j, NULL);
        json_strn(&j, "name", f->name, strlen(f->name));
        json_str(&j, "kind", manifest_kind_name(f->kind));
        json_strn(&j, "file", f->path, strlen(f->path));
        if (f->opt == MANIFEST_OPT_NONE) {
            json_null(&j, "opt");
        } else {
            json_int(&j, "opt", f->opt);
        }
        json_str(&j, "version", f->metadata->version);
        json_object_end(&j);
    }
    json_array_end(&j);
    json_array(&j, "c_modules");
    for (unsigned i = 0; i < m->n_c_modules; i++) {
        json_strn(&j, NULL, m->c_modules[i], strlen(m->c_modules[i]));
    }
    json_array_end(&j);
    json_object_end(&j);
    json_end(&j);
}

static void manifest_text(const struct manifest *m, struct bytes_out *out)
{
    for (unsigned i = 0; i < m->n_files; i++) {
        const struct manifest_file *f = &m->files[i];
        char opt[16] = "-";
        if (f->opt != MANIFEST_OPT_NONE) {
            snprintf(opt, sizeof opt, "%d", f->opt);
        }
        bytes_printf(out, "%-8s %s  %s  %s\n", manifest_kind_name(f->kind), opt, f->name, f->path);
    }
    for (unsigned i = 0; i < m->n_c_modules; i++) {
        bytes_printf(out, "c-module -  %s  (C code: not part of a splice)\n", m->c_modules[i]);
    }
}

static enum diag_code list_manifest(struct cli *cli, const char *file,
                                    const struct cli_list *defines, bool unix_ffi, bool json)
{
    struct manifest *m;
    struct bytes_out out;
    enum diag_code err = manifest_input_run(cli, file, defines, unix_ffi, &m);
    if (err) {
        return err;
    }
    bytes_out_init(&out);
    if (json) {
        manifest_json(m, file, &out);
    } else {
        manifest_text(m, &out);
    }
    return cli_print(cli, &out);
}

// A blob alone says little of its modules, or nothing: their list does.
static enum diag_code list_attach(struct cli *cli, const struct firmware_view *v, const char *list)
{
    struct file f;
    if (v->image || (!list && !v->blob->detached)) {
        return DIAG_OK;
    }
    if (!list) {
        diag_set(&cli->diag, DIAG_NO, v->file.name,
                 "the modules of this blob are listed in another file");
        return diag_help(&cli->diag, "give that file with --modules LIST"), DIAG_NO;
    }
    enum diag_code err = file_read(list, &cli->arena, &cli->diag, &f);
    return err ? err : blob_attach(v->blob, f.data, f.size, f.name, &cli->arena, &cli->diag);
}

static enum diag_code list_run(struct cli *cli, int argc, char **argv)
{
    bool helped, json = false, unix_ffi = false;
    const char *type = NULL, *modules = NULL;
    struct cli_list files = {0}, defines = {0};
    const struct cli_option options[] = {
        {"--json", NULL, CLI_FLAG, &json},
        {"--type", NULL, CLI_VALUE, &type},
        {"--define", "-D", CLI_LIST, &defines},
        {"--unix-ffi", NULL, CLI_FLAG, &unix_ffi},
        {"--modules", NULL, CLI_VALUE, &modules},
        {NULL, NULL, CLI_REST, &files},
        {NULL, NULL, CLI_FLAG, NULL},
    };
    enum diag_code err = cli_parse(cli, &cmd_list, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (files.n != 1) {
        return cli_usage_error(cli, "list takes one file");
    }
    if (path_has_extension(files.items[0], ".py")) {
        return list_manifest(cli, files.items[0], &defines, unix_ffi, json);
    }
    struct firmware_view v;
    struct entries l;
    err = firmware_view_read(cli, files.items[0], type, &v);
    err = err ? err : list_attach(cli, &v, modules);
    if (err || (err = collect(cli, &v, &l))) {
        return err;
    }
    if (v.why.code) {
        cli->diag = v.why;
        return v.why.code;
    }
    struct bytes_out out;
    bytes_out_init(&out);
    if (json) {
        print_json(&v, &l, &out);
    } else {
        print_text(&l, &out);
    }
    return cli_print(cli, &out);
}
