#include "packer/cli/cli.h"
#include "packer/sign/sign.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_sign = {
    .name = "sign",
    .summary = "sign a blob, or put a signature made elsewhere into it",
    .usage =
        "sign APP.frz -k KEY.pem... [-o OUT.frz] [--passphrase-file FILE]\n"
        "  or:  sign APP.frz --digest-out FILE [--pub PUB.pem]\n"
        "  or:  sign APP.frz --signature-in FILE --pub PUB.pem [-o OUT.frz]\n\n"
        "Adds signatures to a blob; with several keys, or called again, the blob has several. The\n"
        "signature of a key that has signed before is replaced. The blob keeps its size.\n\n"
        "  -k KEY.pem              a private key; may be given more than once\n"
        "  -o OUT.frz              leave APP.frz alone and write here\n"
        "  --passphrase-file FILE  its first line decrypts KEY.pem; else the environment variable\n"
        "                          MPY_FREEZE_PASSPHRASE or a prompt does\n"
        "  --digest-out FILE       write the digest that a security module has to sign: 32 bytes "
        "of\n"
        "                          SHA-256, or 48 of SHA-384 when PUB.pem is an ecdsa-p384 key\n"
        "  --signature-in FILE     put this signature in: r and s, or DER, or the bytes of RSA "
        "PSS\n"
        "  --pub PUB.pem           whose signature it is\n\n"
        "Example:\n"
        "  mpy-freeze sign app.frz --digest-out digest.bin --pub pub.pem\n"
        "  openssl pkeyutl -sign -inkey key.pem -in digest.bin -out signature.der\n"
        "  mpy-freeze sign app.frz --signature-in signature.der --pub pub.pem",
    .run = run,
};

struct sign_args {
    struct cli_list files, keys;
    const char *output, *digest_out, *signature_in, *pub;
    struct sign_passphrase pass;
};

static enum diag_code sign_check_args(struct cli *cli, const struct sign_args *args)
{
    if (args->files.n != 1) {
        return cli_usage_error(cli, "sign takes one blob");
    }
    int ways = (args->keys.n > 0) + (args->digest_out != NULL) + (args->signature_in != NULL);
    if (ways != 1) {
        return cli_usage_error(cli, "sign takes one of -k, --digest-out and --signature-in");
    }
    if (args->signature_in && !args->pub) {
        return cli_usage_error(cli, "--signature-in needs --pub PUB.pem");
    }
    if (args->keys.n > 0 && args->pub) {
        return cli_usage_error(cli, "-k signs by itself, --pub is for signatures made elsewhere");
    }
    if (args->digest_out && file_same(args->digest_out, args->files.items[0])) {
        return cli_usage_error(cli, "--digest-out names the blob itself");
    }
    // Keys cannot be made again. Without -o the blob is the output.
    const char *output = args->digest_out ? args->digest_out : args->output;
    enum diag_code err = cli_distinct_all(cli, output, &args->keys);
    err = err ? err : cli_distinct(cli, output, args->pub);
    err = err ? err : cli_distinct(cli, output, args->signature_in);
    return err ? err : cli_distinct(cli, output, args->pass.file);
}

static enum diag_code sign_with_keys(struct cli *cli, const struct sign_args *args,
                                     struct file *blob)
{
    enum diag_code err = DIAG_OK;
    for (unsigned i = 0; i < args->keys.n && !err; i++) {
        struct sign_key *key;
        err = sign_key_read(args->keys.items[i], &args->pass, &cli->arena, &cli->diag, &key);
        if (!err) {
            err = sign_blob(blob->data, blob->size, key, &cli->diag);
            sign_key_free(key);
        }
    }
    return err;
}

static enum diag_code sign_digest(struct cli *cli, const struct sign_args *args,
                                  const struct file *blob, const struct verify_key *pub)
{
    uint8_t digest[KEY_HASH_MAX];
    enum blob_algorithm a = pub ? verify_key_algorithm(pub) : BLOB_ECDSA_P256;
    unsigned n = verify_key_digest(a, blob->data, BLOB_HEADER, digest);
    return file_write(args->digest_out, digest, n, FILE_DATA, true, &cli->diag);
}

static enum diag_code sign_with_signature(struct cli *cli, const struct sign_args *args,
                                          struct file *blob, const struct verify_key *pub)
{
    struct file signature;
    enum diag_code err = file_read(args->signature_in, &cli->arena, &cli->diag, &signature);
    return err ? err
               : sign_put(blob->data, blob->size, pub, signature.data, signature.size,
                          signature.name, &cli->diag);
}

static enum diag_code sign_run(struct cli *cli, const struct sign_args *args,
                               const struct verify_key *pub)
{
    const char *name = args->files.items[0];
    struct file file;
    struct blob *blob;
    enum diag_code err = file_read(name, &cli->arena, &cli->diag, &file);
    err = err ? err : blob_read(file.data, file.size, file.name, &cli->arena, &cli->diag, &blob);
    if (err) {
        return err;
    }
    const char *damaged = blob_damaged(blob);
    if (damaged) {
        return diag_set(&cli->diag, DIAG_NO, name, "is damaged: its %s are not what was packed",
                        damaged);
    }
    if (args->digest_out) {
        return sign_digest(cli, args, &file, pub);
    }
    err = args->signature_in ? sign_with_signature(cli, args, &file, pub)
                             : sign_with_keys(cli, args, &file);
    const char *output = args->output ? args->output : name;
    return err ? err
               : file_write(output, file.data, file.size, file_mode_of(name), true, &cli->diag);
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct sign_args args = {.pass.prompt = true};
    const struct cli_option options[] = {
        {NULL, NULL, CLI_REST, &args.files},
        {"-k", "--key", CLI_LIST, &args.keys},
        {"-o", "--output", CLI_VALUE, &args.output},
        {"--digest-out", NULL, CLI_VALUE, &args.digest_out},
        {"--signature-in", NULL, CLI_VALUE, &args.signature_in},
        {"--pub", NULL, CLI_VALUE, &args.pub},
        {"--passphrase-file", NULL, CLI_VALUE, &args.pass.file},
        {0},
    };
    bool helped;
    enum diag_code err = cli_parse(cli, &cmd_sign, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    err = sign_check_args(cli, &args);
    struct verify_key *pub = NULL;
    if (!err && args.pub) {
        err = verify_key_read(args.pub, &cli->diag, &pub);
    }
    err = err ? err : sign_run(cli, &args, pub);
    verify_key_free(pub);
    return err;
}
