// The steps that build, pack, splice and unsplice share.
#ifndef PACKER_CLI_BUILD_H
#define PACKER_CLI_BUILD_H

#include "packer/cli/cli.h"
#include "packer/cli/inputs.h"
#include "packer/cli/production.h"
#include "packer/splice/splice.h"

struct build { // options first, then what the steps make of them
    const char *firmware, *output, *passphrase_file, *type, *region, *board;
    const char *boot, *main, *opt_level, *project;
    struct cli_list keys;        // private keys, each signs
    uint64_t reserve_signatures; // room for so many, 0 = default
    struct splice_options splice;
    struct fw_region by_hand; // --region
    uint64_t app_limit;       // most bytes of a product that is an ESP32 app, 0 = unknown
    struct input_options inputs;
    struct cli_list args;
    bool json, strict;
    bool list_modules; // --list-modules
    bool quiet;        // leave the production findings to the caller
    bool reports;      // print the report before the product gets its name

    enum image_kind kind;
    struct file file;    // the firmware file as given
    const uint8_t *base; // the base: without the splice that the file may hold
    size_t base_size;
    const struct blob *taken_out; // that splice, or NULL
    struct image *image;
    struct firmware *fw;
    struct input_list list;
    struct inputs_ahead *ahead; // those being loaded already
    struct splice_module *modules;
    struct splice_plan *plan;
    struct production production;
    struct bytes_out blob;     // encoded
    struct blob_base *digests; // of the base, in the making
    struct sign_check *checks; // of the signatures, going on
};

// Options of build and pack, as rows of a table that ends with zeros.
enum { BUILD_OPTIONS = 28 };
void build_options(struct build *b, struct cli_option rows[BUILD_OPTIONS]);
// Checks them, without reading anything but names. Errors: DIAG_USAGE.
enum diag_code build_check(struct cli *cli, struct build *b);
// The inputs by their names, as far as they are known: false after the last. *file is NULL for one
// that was not given.
bool build_reads(const struct build *b, unsigned i, const char **file);
// Reads the firmware, takes a splice out of it and begins with the digests of the base.
enum diag_code build_open_base(struct cli *cli, struct build *b);
// The same, lists the inputs (if not done) and begins to load them, finds MicroPython in the base
// and the regions that the blob may go to.
enum diag_code build_open(struct cli *cli, struct build *b);
// Finds those regions (place.c). Errors: DIAG_USAGE, DIAG_NO when the image contradicts --board.
enum diag_code build_place(struct cli *cli, struct build *b);
// Lists the inputs, once.
enum diag_code build_list(struct cli *cli, struct build *b);
// Reads and compiles the inputs, plans the splice, encodes and signs the blob,
// which is not to be written before build_settle.
enum diag_code build_blob(struct cli *cli, struct build *b);
// Waits for the checks of the signatures.
enum diag_code build_settle(struct cli *cli, struct build *b);
// The table (or JSON) that tells what is done; on standard error if the output goes to standard
// output. To be told before the output is put in place: a command that fails changes nothing.
enum diag_code build_report(struct cli *cli, const struct build *b);
void build_free(struct build *b);

// Reads the encoded blob back, with the names of its modules.
enum diag_code build_read_back(struct cli *cli, struct build *b, struct blob **blob);
// Whether the list of the modules is written, and the file that it goes to; NULL without memory.
bool build_lists(const struct build *b);
const char *build_list_name(struct cli *cli, const struct build *b);
// Writes it, if it is asked for.
enum diag_code build_write_list(struct cli *cli, const struct build *b);
// Makes the product of the base and an encoded blob and writes it, the list of modules ahead of it.
enum diag_code build_product(struct cli *cli, struct build *b, const struct blob *blob);
// Parses --type. Errors: DIAG_USAGE.
enum diag_code build_type(struct cli *cli, const char *type, enum image_kind *kind);

#endif
