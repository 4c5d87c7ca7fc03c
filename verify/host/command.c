#include "verify/host/command.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format/file.h"
#include "format/json.h"

static bool command_digit(char c, uint8_t *value)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    *value = at ? (uint8_t)(at - digits) : 0;
    return at != NULL;
}

static bool command_digest(const char *text, uint8_t digest[BLOB_DIGEST])
{
    for (unsigned i = 0; i < BLOB_DIGEST; i++) {
        uint8_t high, low;
        if (!command_digit(text[2 * i], &high) || !command_digit(text[2 * i + 1], &low)) {
            return false;
        }
        digest[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * BLOB_DIGEST] == 0;
}

static const char *command_container(enum image_kind kind)
{
    return kind == IMAGE_AUTO ? "blob" : image_kind_name(kind);
}

static const char *command_signer(const struct verify_report *r, uint32_t i)
{
    static const char *const names[] = {"not-trusted", "good", "bad"};
    return names[r->signers[i]];
}

static void command_json_signatures(struct json *j, const struct verify_report *r)
{
    const struct blob *b = r->blob;
    json_array(j, "signatures");
    for (uint32_t i = 0; i < b->n_signatures; i++) {
        json_object(j, NULL);
        json_str(j, "algorithm", blob_algorithm_name(b->signatures[i].algorithm));
        json_hex(j, "key_id", b->signatures[i].key_id, BLOB_DIGEST);
        json_str(j, "status", command_signer(r, i));
        json_str(j, "key", r->signer_keys[i] ? verify_key_name(r->signer_keys[i]) : NULL);
        json_object_end(j);
    }
    json_array_end(j);
}

// Without the list there are the first bytes of the digests of the sources, or no modules at all.
static void command_json_modules(struct json *j, const struct blob *b)
{
    if (b->list.n) {
        json_object(j, "module_list");
        json_uint(j, "modules", b->list.n);
        json_hex(j, "sha256", b->list.sha256, BLOB_DIGEST);
        json_bool(j, "proven", b->listed);
        json_object_end(j);
    }
    json_array(j, "modules");
    for (uint32_t i = 0; i < b->n_modules; i++) {
        const struct blob_module *m = &b->modules[i];
        json_object(j, NULL);
        json_str(j, "name", m->name);
        json_str(j, "kind", m->kind == BLOB_MODULE_MPY ? "mpy" : "str");
        if (b->listed) {
            json_hex(j, "source_sha256", m->source_sha256, BLOB_DIGEST);
            json_hex(j, "mpy_sha256", m->mpy_sha256, BLOB_DIGEST);
        } else {
            json_hex(j, "source_sha256_128", m->source_sha256, BLOB_MODULE_TAG);
        }
        json_object_end(j);
    }
    json_array_end(j);
}

// Nothing of an unproven blob is shown as if it were true: only a verified one is described.
static void command_json_blob(struct json *j, const struct blob *b)
{
    json_str(j, "app", b->app);
    json_str(j, "app_version", b->app_version);
    json_uint(j, "counter", b->counter);
    json_object(j, "base");
    json_hex(j, "file_sha256", b->base_file_sha256, BLOB_DIGEST);
    json_uint(j, "file_size", b->base_file_size);
    json_hex(j, "space_sha256", b->base_space_sha256, BLOB_DIGEST);
    json_uint(j, "space_size", b->base_space_size);
    json_object_end(j);
    json_uint(j, "patches", b->n_patches);
    command_json_modules(j, b);
}

static void command_json(const struct verify_args *args, const struct verify_report *r,
                         struct bytes_out *out)
{
    struct json j;
    json_init(&j, out);
    json_object(&j, NULL);
    json_str(&j, "schema", "mpy-freeze/verify/1");
    json_str(&j, "file", args->file);
    json_str(&j, "result", verify_result_name(r->result));
    json_str(&j, "detail", r->detail[0] ? r->detail : NULL);
    json_str(&j, "proven", verify_proof_name(r->proof));
    if (r->result == VERIFY_VERIFIED) {
        json_uint(&j, "unproven_bytes", r->unproven);
    }
    json_str(&j, "container", r->blob ? command_container(r->kind) : NULL);
    if (r->blob) {
        command_json_signatures(&j, r);
    }
    if (r->result == VERIFY_VERIFIED && r->blob) {
        command_json_blob(&j, r->blob);
    }
    json_object_end(&j);
    json_end(&j);
}

static const char *command_proof(const struct verify_report *r)
{
    switch (r->proof) {
    case VERIFY_PROVES_FILE:
        return "every byte of the file";
    case VERIFY_PROVES_SPACE:
        return "the address space only: the file is another container than the base's";
    case VERIFY_PROVES_BLOB:
        return "the blob; it names its base, which is not here";
    case VERIFY_PROVES_NOTHING:
        break;
    }
    return "nothing";
}

static void command_hex(struct bytes_out *out, const uint8_t *p)
{
    for (unsigned i = 0; i < BLOB_DIGEST; i++) {
        bytes_printf(out, "%02x", p[i]);
    }
}

// Names come from a signed blob, yet a terminal is not to obey them.
static void command_text(struct bytes_out *out, const char *s)
{
    for (; *s; s++) {
        bytes_put_u8(out, (unsigned char)*s < 0x20 || *s == 0x7f ? '?' : (uint8_t)*s);
    }
}

static void command_report(const struct verify_args *args, const struct verify_report *r,
                           struct bytes_out *out)
{
    const struct blob *b = r->blob;
    bytes_printf(out, "%s: verified\n  proven     %s%s\n", args->file, command_proof(r),
                 r->unproven ? "; but see unproven" : "");
    for (uint32_t i = 0; i < b->n_signatures; i++) {
        bytes_printf(out, "  signature  %s, %s, key ", command_signer(r, i),
                     blob_algorithm_name(b->signatures[i].algorithm));
        command_hex(out, b->signatures[i].key_id);
        if (r->signer_keys[i]) {
            bytes_printf(out, " (%s)", verify_key_name(r->signer_keys[i]));
        }
        bytes_put_u8(out, '\n');
    }
    if (r->unproven) {
        bytes_printf(out,
                     "  unproven   %" PRIu32 " bytes: signatures by keys that were not given\n",
                     r->unproven);
    }
    bytes_printf(out, "  base       %s, %" PRIu64 " bytes, SHA-256 ",
                 image_kind_name((enum image_kind)b->container), b->base_file_size);
    command_hex(out, b->base_file_sha256);
    bytes_printf(out, "\n  app        ");
    command_text(out, b->app[0] ? b->app : "-");
    bytes_put_u8(out, ' ');
    command_text(out, b->app_version);
    bytes_printf(out, "\n  counter    %" PRIu64 "\n  modules    %u, patches %u\n", b->counter,
                 (unsigned)b->list.n, (unsigned)b->n_patches);
    if (b->list.n) {
        bytes_printf(out, "  list       %s, SHA-256 ",
                     b->listed ? "proven" : "not given (--modules)");
        command_hex(out, b->list.sha256);
        bytes_put_u8(out, '\n');
    }
}

static enum diag_code command_no(const struct verify_args *args, const struct verify_report *r,
                                 struct diag *d)
{
    enum diag_code err = diag_set(d, verify_result_code(r->result), args->file, "%s: %s",
                                  verify_result_text(r->result), r->detail);
    bool shown = r->result == VERIFY_UNTRUSTED_KEY || r->result == VERIFY_UNPROVEN_SIGNATURE;
    for (uint32_t i = 0; shown && i < r->blob->n_signatures; i++) {
        struct bytes_out id;
        if (r->signers[i] == VERIFY_SIGNER_GOOD) {
            continue;
        }
        bytes_out_init(&id);
        command_hex(&id, r->blob->signatures[i].key_id);
        diag_help(d, "found a signature by key %.*s", (int)id.size,
                  id.data ? (const char *)id.data : "");
        bytes_out_free(&id);
    }
    if (r->result == VERIFY_UNPROVEN_SIGNATURE) {
        diag_help(d, "give those keys with -k, too, or leave --no-other-signatures away");
    }
    if (r->result == VERIFY_UNSIGNED && r->blob) {
        diag_help(d, "sign it with: mpy-freeze sign -k KEY.pem");
    }
    return err;
}

static enum diag_code command_check(const struct verify_args *args, struct verify_request *rq,
                                    uint8_t digest[BLOB_DIGEST], struct diag *d)
{
    if (!args->file) {
        return diag_set(d, DIAG_USAGE, NULL, "verify takes one file");
    }
    if (args->n_keys == 0) {
        return diag_set(d, DIAG_USAGE, NULL, "verify needs a public key: -k PUB.pem");
    }
    if (args->required > args->n_keys) {
        return diag_set(d, DIAG_USAGE, NULL, "--require %" PRIu64 " needs as many keys, found %u",
                        args->required, args->n_keys);
    }
    if (args->base && args->base_digest) {
        return diag_set(d, DIAG_USAGE, NULL, "-f and --base say the same, give one of them");
    }
    if (args->base_digest && !command_digest(args->base_digest, digest)) {
        return diag_set(d, DIAG_USAGE, NULL, "--base takes 64 hexadecimal digits, not '%s'",
                        args->base_digest);
    }
    rq->kind = args->type ? image_kind_find(args->type) : IMAGE_AUTO;
    if (args->type && rq->kind == IMAGE_AUTO) {
        return diag_set(d, DIAG_USAGE, NULL, "unknown --type '%s'", args->type);
    }
    rq->base_digest = args->base_digest ? digest : NULL;
    rq->allow_published = args->allow_test_key;
    rq->allow_others = !args->no_other_signatures;
    rq->required = (unsigned)args->required;
    rq->min_counter = args->min_counter;
    return DIAG_OK;
}

static enum diag_code command_files(const struct verify_args *args, struct verify_request *rq,
                                    struct arena *a, struct diag *d)
{
    struct file file, base, list;
    enum diag_code err = file_read(args->file, a, d, &file);
    if (!err) {
        rq->data = file.data;
        rq->size = file.size;
        rq->name = file.name;
    }
    if (!err && args->base) {
        err = file_read(args->base, a, d, &base);
        if (!err) {
            rq->base = base.data;
            rq->base_size = base.size;
            rq->base_name = base.name;
        }
    }
    if (!err && args->modules) {
        err = file_read(args->modules, a, d, &list);
        if (!err) {
            rq->list = list.data;
            rq->list_size = list.size;
            rq->list_name = list.name;
        }
    }
    return err;
}

static enum diag_code command_run(const struct verify_args *args, const struct verify_request *rq,
                                  struct arena *a, struct diag *d, struct bytes_out *out)
{
    struct verify_report *report = ARENA_NEW(a, struct verify_report);
    if (!report) {
        return diag_nomem(d);
    }
    enum diag_code err = verify_image(rq, a, d, report);
    if (err) {
        return err;
    }
    if (args->json) {
        command_json(args, report, out);
        return verify_result_code(report->result);
    }
    if (report->result != VERIFY_VERIFIED) {
        return command_no(args, report, d);
    }
    command_report(args, report, out);
    return DIAG_OK;
}

enum diag_code verify_command(const struct verify_args *args, struct arena *a, struct diag *d,
                              struct bytes_out *out)
{
    struct verify_request rq = {0};
    uint8_t digest[BLOB_DIGEST];
    enum diag_code err = command_check(args, &rq, digest, d);
    if (err) {
        return err;
    }
    struct verify_key **keys = ARENA_ARRAY(a, struct verify_key *, args->n_keys);
    if (!keys) {
        return diag_nomem(d);
    }
    for (; rq.n_keys < args->n_keys && !err; rq.n_keys += !err) {
        err = verify_key_read(args->keys[rq.n_keys], d, &keys[rq.n_keys]);
    }
    rq.keys = keys;
    err = err ? err : command_files(args, &rq, a, d);
    err = err ? err : command_run(args, &rq, a, d, out);
    for (unsigned i = 0; i < rq.n_keys; i++) {
        verify_key_free(keys[i]);
    }
    return err;
}
