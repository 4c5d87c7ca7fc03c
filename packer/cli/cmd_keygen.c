#include <string.h>

#include <mbedtls/platform_util.h>

#include "packer/cli/cli.h"
#include "packer/sign/sign.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_keygen = {
    .name = "keygen",
    .summary = "make a key pair for signing",
    .usage =
        "keygen -o KEY.pem [--type TYPE] [--encrypt] [--passphrase-file FILE]\n\n"
        "Makes a private key as PKCS#8 PEM, readable by its owner only. An existing file is never\n"
        "overwritten.\n\n"
        "  -o KEY.pem              where to write it\n"
        "  --type TYPE             ecdsa-p256 (default), ecdsa-p384 or rsa-3072\n"
        "  --encrypt               encrypt it and ask for the passphrase\n"
        "  --passphrase-file FILE  encrypt it with the first line of FILE; the environment "
        "variable\n"
        "                          MPY_FREEZE_PASSPHRASE does the same\n\n"
        "Example:\n  mpy-freeze keygen -o key.pem && mpy-freeze pubkey -k key.pem -o pub.pem",
    .run = run,
};

static bool keygen_type(const char *name, enum blob_algorithm *type)
{
    for (int a = BLOB_ECDSA_P256; a <= BLOB_RSA_PSS_3072; a++) {
        if (strcmp(name, blob_algorithm_name((enum blob_algorithm)a)) == 0) {
            *type = (enum blob_algorithm)a;
            return true;
        }
    }
    return false;
}

static enum diag_code keygen_write(struct cli *cli, const struct sign_key *key, const char *file,
                                   const struct sign_passphrase *pass)
{
    char passphrase[SIGN_PASSPHRASE_MAX];
    bool encrypt = pass->prompt || sign_passphrase_given(pass);
    struct bytes_out out;
    enum diag_code err = DIAG_OK;
    if (encrypt) {
        err = sign_passphrase_get(pass, file, true, &cli->diag, passphrase);
        if (!err && passphrase[0] == 0) {
            err = cli_usage_error(cli, "the passphrase is empty");
        }
    }
    bytes_out_init(&out);
    err = err ? err : sign_key_pem(key, encrypt ? passphrase : NULL, &out, &cli->diag);
    err = err ? err : file_create(file, out.data, out.size, FILE_SECRET, &cli->diag);
    if (out.data) {
        mbedtls_platform_zeroize(out.data, out.size);
    }
    bytes_out_free(&out);
    mbedtls_platform_zeroize(passphrase, sizeof passphrase);
    return err;
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    const char *file = NULL, *type_name = "ecdsa-p256";
    struct sign_passphrase pass = {0};
    const struct cli_option options[] = {
        {"-o", "--output", CLI_VALUE, &file},
        {"--type", NULL, CLI_VALUE, &type_name},
        {"--encrypt", NULL, CLI_FLAG, &pass.prompt},
        {"--passphrase-file", NULL, CLI_VALUE, &pass.file},
        {0},
    };
    bool helped;
    enum diag_code err = cli_parse(cli, &cmd_keygen, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (!file || strcmp(file, "-") == 0) {
        return cli_usage_error(cli, "keygen needs a file to write: -o KEY.pem");
    }
    enum blob_algorithm type;
    if (!keygen_type(type_name, &type)) {
        return cli_usage_error(cli, "--type is ecdsa-p256, ecdsa-p384 or rsa-3072, not '%s'",
                               type_name);
    }
    struct sign_key *key;
    err = sign_key_generate(type, &cli->arena, &cli->diag, &key);
    if (err) {
        return err;
    }
    err = keygen_write(cli, key, file, &pass);
    sign_key_free(key);
    return err;
}
