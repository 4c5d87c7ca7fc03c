// info: what a firmware image is and what is inside.
#include <inttypes.h>
#include <string.h>

#include "packer/cli/firmware_view.h"

static cli_run info_run;

const struct cli_command cmd_info = {
    .name = "info",
    .summary = "show what a firmware image is and what is inside",
    .usage = "info FILE [--json] [-v] [--type TYPE]\n\n"
             "Shows container, address space, release, build options, qstr pools, frozen tables,\n"
             "references, free space and signatures, from the bytes of the image alone.\n\n"
             "Options:\n"
             "  --json        everything, as JSON\n"
             "  -v            also the evidence for each fact\n"
             "  --type TYPE   elf, bin, uf2, dfuse, ihex, esp, esp-flash; default: by content\n\n"
             "Exit code 1: MicroPython was not found, or its release is not supported.\n\n"
             "Example:\n  mpy-freeze info firmware.uf2",
    .run = info_run,
};

// --- names

static const char *tri_name(enum fw_tri t)
{
    return t == FW_YES ? "yes" : t == FW_NO ? "no" : "unknown";
}

static const char *float_name(enum fw_float f)
{
    static const char *const names[] = {"unknown", "none", "float", "double"};
    return names[f];
}

static const char *longint_name(enum fw_longint l)
{
    static const char *const names[] = {"unknown", "none", "longlong", "mpz"};
    return names[l];
}

static const char *arch_name(enum mpy_arch a)
{
    static const char *const names[] = {"none",      "x86",     "x64",       "armv6",     "armv6m",
                                        "armv7m",    "armv7em", "armv7emsp", "armv7emdp", "xtensa",
                                        "xtensawin", "rv32imc", "rv64imc"};
    return a < sizeof names / sizeof *names ? names[a] : "unknown";
}

static const char *ref_kind_name(enum fw_ref_kind k)
{
    static const char *const names[] = {"word",     "word-relative", "movw-movt", "rip32",
                                        "abs32",    "gotoff32",      "adrp-lo12", "adr",
                                        "lui-lo12", "auipc-lo12",    "pcrel-word"};
    return names[k];
}

static const char *const object_names[FW_OBJECTS] = {
    "type", "int",  "str",  "bytes", "tuple", "float",    "complex",   "bool",
    "list", "dict", "None", "False", "True",  "Ellipsis", "fun_table", "empty_tuple",
};

// --- JSON

static void json_known_uint(struct json *j, const char *key, uint64_t value, bool known)
{
    if (known) {
        json_uint(j, key, value);
    } else {
        json_null(j, key);
    }
}

static void json_address(struct json *j, const char *key, uint64_t addr)
{
    if (addr) {
        json_addr(j, key, addr);
    } else {
        json_null(j, key);
    }
}

static void json_text(struct json *j, const char *key, const char *text)
{
    json_str(j, key, text && *text ? text : NULL);
}

static void json_container(struct json *j, struct cli *cli, const struct image *img)
{
    json_object(j, "container");
    json_str(j, "kind", image_kind_name(img->kind));
    json_str(j, "description", image_describe(img, &cli->arena));
    json_bool(j, "position_independent", img->pic);
    json_known_uint(j, "address_bits", img->address_bits, img->address_bits != 0);
    json_array(j, "segments");
    for (unsigned i = 0; i < img->n_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        json_object(j, NULL);
        json_str(j, "name", s->name);
        json_addr(j, "address", s->addr);
        json_addr(j, "run_address", s->run);
        json_uint(j, "size", s->size);
        json_uint(j, "memory_size", s->mem_size);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

static void json_release(struct json *j, const struct firmware *fw)
{
    json_text(j, "version", fw->version);
    json_text(j, "fork", fw->fork);
    json_known_uint(j, "major", fw->major, fw->major != 0);
    json_known_uint(j, "minor", fw->minor, fw->major != 0);
    json_known_uint(j, "patch", fw->patch, fw->major != 0);
    json_str(j, "layout", fw->profile ? fw->profile->name : NULL);
    json_text(j, "build", fw->build);
    json_text(j, "board", fw->board);
    json_text(j, "build_name", fw->build_name);
    json_str(j, "isa", fw_isa_name(fw->isa));
    json_uint(j, "pointer_bytes", fw->ptr);
    json_object(j, "mpy");
    bool known = fw->mpy_abi >= 0;
    json_known_uint(j, "abi", (uint64_t)fw->mpy_abi, known);
    json_known_uint(j, "version", (uint64_t)fw->mpy_abi & 0xff, known);
    json_known_uint(j, "sub_version", (uint64_t)fw->mpy_abi >> 8 & 3, known);
    json_str(j, "native_arch", known ? arch_name(fw->mpy_arch) : NULL);
    json_object_end(j);
}

static void json_options(struct json *j, const struct firmware *fw)
{
    json_object(j, "options");
    json_str(j, "object_representation", fw_repr_name(fw->repr));
    json_str(j, "float", float_name(fw->float_kind));
    json_str(j, "long_int", longint_name(fw->longint));
    json_known_uint(j, "mpz_digit_bits", fw->mpz_dig_bits, fw->mpz_dig_bits != 0);
    json_known_uint(j, "small_int_bits", fw->small_int_bits, fw->small_int_bits != 0);
    json_str(j, "immediate_objects", tri_name(fw->immediate_objs));
    json_str(j, "native_code", tri_name(fw->native));
    json_str(j, "persistent_code_save", tri_name(fw->save));
    json_str(j, "settrace", tri_name(fw->settrace));
    json_str(j, "raw_code_length", tri_name(fw->debug_names));
    json_uint(j, "qstr_hash_bytes", fw->qstr_hash_bytes);
    json_uint(j, "qstr_length_bytes", fw->qstr_len_bytes);
    json_object_end(j);
}

static void json_pools(struct json *j, const struct firmware *fw)
{
    json_array(j, "qstr_pools");
    for (unsigned i = 0; i < fw->n_pools; i++) {
        json_object(j, NULL);
        json_addr(j, "address", fw->pools[i].addr);
        json_uint(j, "first", fw->pools[i].total_prev);
        json_uint(j, "count", fw->pools[i].len);
        json_bool(j, "sorted", fw->pools[i].sorted);
        json_object_end(j);
    }
    json_array_end(j);
    json_object(j, "objects");
    for (unsigned i = 0; i < FW_OBJECTS; i++) {
        json_address(j, object_names[i], fw->objects[i]);
    }
    json_object_end(j);
}

static void json_frozen(struct json *j, const struct firmware *fw)
{
    json_object(j, "frozen");
    json_str(j, "supported", tri_name(fw->frozen));
    json_uint(j, "modules", fw->n_modules);
    json_uint(j, "sources", fw->n_str);
    json_address(j, "names", fw->names);
    json_uint(j, "names_size", fw->names_size);
    json_address(j, "content", fw->content);
    json_address(j, "source_sizes", fw->str_sizes);
    json_address(j, "source_content", fw->str_content);
    json_address(j, "lookup_function", fw->find_frozen_function);
    json_object_end(j);
}

static void json_ref_list(struct json *j, const char *key, const struct fw_refs *refs)
{
    json_array(j, key);
    for (unsigned i = 0; i < refs->n; i++) {
        const struct fw_ref *r = &refs->refs[i];
        json_object(j, NULL);
        json_str(j, "kind", ref_kind_name(r->kind));
        json_addr(j, "address", r->addr);
        json_address(j, "address2", r->addr2);
        json_int(j, "addend", r->addend);
        json_address(j, "function", r->function);
        json_object_end(j);
    }
    json_array_end(j);
}

static void json_refs(struct json *j, const struct firmware *fw)
{
    json_object(j, "references");
    json_ref_list(j, "names", &fw->names_refs);
    json_ref_list(j, "content", &fw->content_refs);
    json_ref_list(j, "pool", &fw->pool_refs);
    json_ref_list(j, "source_sizes", &fw->str_sizes_refs);
    json_ref_list(j, "source_content", &fw->str_content_refs);
    json_object_end(j);
}

static void json_free(struct json *j, const struct firmware *fw)
{
    json_array(j, "free");
    for (unsigned i = 0; i < fw->n_free; i++) {
        json_object(j, NULL);
        json_addr(j, "address", fw->free[i].addr);
        json_uint(j, "size", fw->free[i].size);
        json_str(j, "limit", fw->free[i].why);
        json_bool(j, "contiguous", fw->free[i].contiguous_with_image);
        json_object_end(j);
    }
    json_array_end(j);
}

static void json_evidence(struct json *j, const struct firmware *fw)
{
    json_array(j, "evidence");
    for (unsigned i = 0; i < fw->n_evidence; i++) {
        const struct fw_evidence *e = &fw->evidence[i];
        json_object(j, NULL);
        json_str(j, "what", e->what);
        json_strn(j, "value", e->value, strlen(e->value));
        json_address(j, "address", e->addr);
        json_str(j, "why", e->why);
        json_object_end(j);
    }
    json_array_end(j);
}

static void json_micropython(struct json *j, const struct firmware_view *v)
{
    json_object(j, "micropython");
    json_bool(j, "found", v->fw != NULL);
    json_bool(j, "supported", v->fw && !v->why.code);
    json_text(j, "reason", v->why.text);
    if (v->fw) {
        json_release(j, v->fw);
        json_evidence(j, v->fw);
    }
    if (v->fw && v->fw->profile) {
        json_options(j, v->fw);
        json_pools(j, v->fw);
        json_frozen(j, v->fw);
        json_refs(j, v->fw);
        json_free(j, v->fw);
    }
    json_object_end(j);
}

static void json_blob(struct json *j, const struct blob *b)
{
    if (!b) {
        json_null(j, "blob");
        return;
    }
    json_object(j, "blob");
    json_addr(j, "address", b->addr);
    json_uint(j, "size", b->layout.size);
    json_text(j, "app", b->app);
    json_text(j, "app_version", b->app_version);
    json_uint(j, "counter", b->counter);
    json_uint(j, "modules", b->list.n);
    json_bool(j, "modules_detached", b->detached);
    if (b->list.n) {
        json_hex(j, "module_list_sha256", b->list.sha256, BLOB_DIGEST);
    } else {
        json_null(j, "module_list_sha256");
    }
    json_uint(j, "patches", b->n_patches);
    json_hex(j, "base_sha256", b->base_file_sha256, BLOB_DIGEST);
    json_text(j, "damaged", blob_damaged(b));
    json_array(j, "signatures");
    for (unsigned i = 0; i < b->n_signatures; i++) {
        json_object(j, NULL);
        json_str(j, "algorithm", blob_algorithm_name(b->signatures[i].algorithm));
        json_hex(j, "key_id", b->signatures[i].key_id, BLOB_DIGEST);
        json_object_end(j);
    }
    json_array_end(j);
    json_object_end(j);
}

static void print_json(struct cli *cli, const struct firmware_view *v, struct bytes_out *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j, NULL);
    json_str(&j, "schema", "mpy-freeze/info/1");
    json_str(&j, "file", v->file.name);
    json_uint(&j, "size", v->file.size);
    if (v->image) {
        json_container(&j, cli, v->image);
        json_micropython(&j, v);
    }
    json_blob(&j, v->blob);
    json_object_end(&j);
    json_end(&j);
}

// --- text

static void print_line(struct bytes_out *out, const char *label, const char *text)
{
    if (text && *text) {
        bytes_printf(out, "%-13s %s\n", label, text);
    }
}

// Text from the image: bytes that would act on a terminal become "?".
static void print_foreign(struct bytes_out *out, const char *label, const char *text)
{
    if (!*text) {
        return;
    }
    bytes_printf(out, "%-13s ", label);
    for (; *text; text++) {
        bytes_put_u8(out, (uint8_t)((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text));
    }
    bytes_put_u8(out, '\n');
}

static void print_abi(struct bytes_out *out, const struct firmware *fw)
{
    if (fw->mpy_abi >= 0) {
        bytes_printf(out, "%-13s version %d.%d, native code: %s\n", ".mpy", fw->mpy_abi & 0xff,
                     fw->mpy_abi >> 8 & 3, arch_name(fw->mpy_arch));
    }
}

static void print_options(struct bytes_out *out, const struct firmware *fw)
{
    bytes_printf(out, "%-13s representation %s, float %s, long int %s", "objects",
                 fw_repr_name(fw->repr), float_name(fw->float_kind), longint_name(fw->longint));
    if (fw->mpz_dig_bits) {
        bytes_printf(out, " (%u-bit digits)", fw->mpz_dig_bits);
    }
    bytes_printf(out, ", immediate None/True/False: %s\n", tri_name(fw->immediate_objs));
    bytes_printf(out, "%-13s save %s, settrace %s, native %s\n", "raw code", tri_name(fw->save),
                 tri_name(fw->settrace), tri_name(fw->native));
    bytes_printf(out, "%-13s %u strings in %u pools, hash %u and length %u bytes\n", "qstrs",
                 fw->n_qstrs, fw->n_pools, fw->qstr_hash_bytes, fw->qstr_len_bytes);
}

static void print_frozen(struct bytes_out *out, const struct firmware *fw)
{
    if (fw->frozen == FW_NO) {
        bytes_printf(out, "%-13s not supported by this build: it has no sys.path entry .frozen\n",
                     "frozen");
        return;
    }
    if (!fw->n_modules && !fw->names) {
        bytes_printf(out, "%-13s supported, but no module was found\n", "frozen");
        return;
    }
    bytes_printf(out, "%-13s %u modules, %u of them sources", "frozen", fw->n_modules, fw->n_str);
    if (fw->content) {
        bytes_printf(out, "; content 0x%" PRIx64, fw->content);
    }
    if (fw->names) {
        bytes_printf(out, "; names 0x%" PRIx64, fw->names);
    }
    bytes_printf(out, "\n%-13s names %u, content %u, last pool %u\n", "references",
                 fw->names_refs.n, fw->content_refs.n, fw->pool_refs.n);
}

static void print_free(struct bytes_out *out, const struct firmware *fw)
{
    for (unsigned i = 0; i < fw->n_free; i++) {
        bytes_printf(out, "%-13s 0x%" PRIx64 ", %" PRIu64 " bytes; limit: %s\n", "free",
                     fw->free[i].addr, fw->free[i].size, fw->free[i].why);
    }
    if (!fw->n_free) {
        bytes_printf(out, "%-13s none that the image tells of; -v shows why\n", "free");
    }
}

static void print_evidence(struct bytes_out *out, const struct firmware *fw)
{
    bytes_printf(out, "evidence\n");
    for (unsigned i = 0; i < fw->n_evidence; i++) {
        const struct fw_evidence *e = &fw->evidence[i];
        bytes_printf(out, "  ");
        print_foreign(out, e->what, e->value);
        bytes_printf(out, "      from: %s", e->why);
        if (e->addr) {
            bytes_printf(out, ", at 0x%" PRIx64, e->addr);
        }
        bytes_put_u8(out, '\n');
    }
}

static void print_objects(struct bytes_out *out, const struct firmware *fw)
{
    bytes_printf(out, "%-13s", "addresses");
    for (unsigned i = 0; i < FW_OBJECTS; i++) {
        if (fw->objects[i]) {
            bytes_printf(out, " %s 0x%" PRIx64, object_names[i], fw->objects[i]);
        }
    }
    bytes_put_u8(out, '\n');
}

static void print_micropython(struct bytes_out *out, const struct firmware *fw, bool verbose)
{
    print_foreign(out, "MicroPython",
                  fw->version[0] ? fw->version
                  : fw->fork     ? fw->fork
                                 : "release unknown");
    print_foreign(out, "build", fw->build);
    print_foreign(out, "board", fw->board);
    print_foreign(out, "build name", fw->build_name);
    print_line(out, "layout", fw->profile ? fw->profile->name : NULL);
    print_line(out, "isa", fw_isa_name(fw->isa));
    print_abi(out, fw);
    if (fw->profile) {
        print_options(out, fw);
        print_frozen(out, fw);
        print_free(out, fw);
    }
    if (verbose) {
        print_objects(out, fw);
        print_evidence(out, fw);
    }
}

static void print_blob(struct bytes_out *out, const struct blob *b)
{
    bytes_printf(out, "%-13s 0x%" PRIx64 ", %u modules%s, %u patches, counter %" PRIu64 "\n",
                 "blob", b->addr, b->list.n, b->detached ? " (listed apart)" : "", b->n_patches,
                 b->counter);
    print_foreign(out, "app", b->app ? b->app : "");
    print_foreign(out, "app version", b->app_version ? b->app_version : "");
    for (unsigned i = 0; i < b->n_signatures; i++) {
        bytes_printf(out, "%-13s %s, key ", "signature",
                     blob_algorithm_name(b->signatures[i].algorithm));
        for (unsigned k = 0; k < 8; k++) {
            bytes_printf(out, "%02x", b->signatures[i].key_id[k]);
        }
        bytes_put_u8(out, '\n');
    }
    if (!b->n_signatures) {
        print_line(out, "signature", "none");
    }
    print_line(out, "damaged", blob_damaged(b));
}

static void print_text(struct cli *cli, const struct firmware_view *v, bool verbose,
                       struct bytes_out *out)
{
    print_foreign(out, "file", v->file.name);
    bytes_printf(out, "%-13s %zu bytes\n", "size", v->file.size);
    if (v->image) {
        print_line(out, "container", image_describe(v->image, &cli->arena));
        if (v->image->n_segments && v->image->base_known) {
            bytes_printf(out, "%-13s 0x%" PRIx64 "\n", "base", v->image->segments[0].addr);
        }
    }
    if (v->fw) {
        print_micropython(out, v->fw, verbose);
    }
    if (v->blob) {
        print_blob(out, v->blob);
    }
}

static enum diag_code info_run(struct cli *cli, int argc, char **argv)
{
    bool helped, json = false, verbose = false;
    const char *type = NULL;
    struct cli_list files = {0};
    const struct cli_option options[] = {
        {"--json", NULL, CLI_FLAG, &json},  {"-v", "--verbose", CLI_FLAG, &verbose},
        {"--type", NULL, CLI_VALUE, &type}, {NULL, NULL, CLI_REST, &files},
        {NULL, NULL, CLI_FLAG, NULL},
    };
    enum diag_code err = cli_parse(cli, &cmd_info, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (files.n != 1) {
        return cli_usage_error(cli, "info takes one file");
    }
    struct firmware_view v;
    err = firmware_view_read(cli, files.items[0], type, &v);
    if (err) {
        return err;
    }
    struct bytes_out out;
    bytes_out_init(&out);
    if (json) {
        print_json(cli, &v, &out);
    } else {
        print_text(cli, &v, verbose, &out);
    }
    err = cli_print(cli, &out);
    if (!err && v.why.code) {
        cli->diag = v.why;
        return v.why.code;
    }
    return err;
}
