#include "packer/cli/cli.h"
#include "packer/sign/sign.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_pubkey = {
    .name = "pubkey",
    .summary = "write the public key of a private key",
    .usage =
        "pubkey -k KEY.pem [-o PUB.pem] [--passphrase-file FILE]\n\n"
        "Writes the public key as PEM (SubjectPublicKeyInfo), to standard output without -o.\n\n"
        "  -k KEY.pem              the private key\n"
        "  -o PUB.pem              where to write the public key\n"
        "  --passphrase-file FILE  its first line decrypts KEY.pem; else the environment\n"
        "                          variable MPY_FREEZE_PASSPHRASE or a prompt does\n\n"
        "Example:\n  mpy-freeze pubkey -k key.pem -o pub.pem",
    .run = run,
};

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    const char *key_file = NULL, *output = "-";
    struct sign_passphrase pass = {.prompt = true};
    const struct cli_option options[] = {
        {"-k", "--key", CLI_VALUE, &key_file},
        {"-o", "--output", CLI_VALUE, &output},
        {"--passphrase-file", NULL, CLI_VALUE, &pass.file},
        {0},
    };
    bool helped;
    enum diag_code err = cli_parse(cli, &cmd_pubkey, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (!key_file) {
        return cli_usage_error(cli, "pubkey needs a private key: -k KEY.pem");
    }
    struct sign_key *key;
    struct bytes_out out;
    err = cli_distinct(cli, output, key_file);
    err = err ? err : cli_distinct(cli, output, pass.file);
    if (err) {
        return err;
    }
    err = sign_key_read(key_file, &pass, &cli->arena, &cli->diag, &key);
    if (err) {
        return err;
    }
    bytes_out_init(&out);
    err = sign_key_check(key, key_file, &cli->diag);
    err = err ? err : sign_public_pem(key, &out, &cli->diag);
    err = err ? err : file_write(output, out.data, out.size, FILE_DATA, false, &cli->diag);
    bytes_out_free(&out);
    sign_key_free(key);
    return err;
}
