// mpy-freeze.ini: a product and the firmwares it is built for, built all at once.
//
//   [product]                 what holds for all rows
//   app = thermostat
//   version = 2.4
//   counter = 17
//   inputs = src/ drivers/ "extra files/" manifest.py
//   main = src/main.py        (boot = ...)
//   key = release-key.pem     (passphrase-file, reserve-signatures = ...)
//   define = MPY_LIB_DIR=../micropython-lib      (may be repeated)
//   optimise = 2              (strip, strict, list-modules, detach-modules = yes; release = X.Y)
//
//   [pyboard]                 one section a row; every key above but app, version and counter may
//   firmware = stock/pybv11.dfu                  be given again for it
//   board = PYBV11            (region, type = ...)
//   output = out/pyboard.dfu
//
// Paths are relative to the file's folder.
#ifndef PACKER_CLI_PROJECT_H
#define PACKER_CLI_PROJECT_H

#include "packer/cli/build.h"

#define PROJECT_FILE "mpy-freeze.ini"

struct project_row {
    const char *name; // of the section
    struct build build;
    struct cli cli; // its own memory and diagnostic: rows are built side by side
    bool unchanged;
    enum diag_code code;
    uint8_t sha256[BLOB_DIGEST]; // of the product
    uint64_t size, blob_bytes, left, addr;
    unsigned n_modules;
    double seconds;
};

struct project {
    const char *file, *folder; // folder without a slash at the end
    struct build product;      // [product]
    unsigned n;
    struct project_row *rows;
};

struct project_options {         // of the command line, stronger than the file
    const char *file;            // NULL = mpy-freeze.ini
    const struct cli_list *only; // names of rows; empty = all
    const struct cli_list *keys; // may be NULL
    const char *passphrase_file;
    bool json, strict;
};

// Reads a project file. Errors: DIAG_IO, DIAG_MALFORMED with file and line.
enum diag_code project_read(struct cli *cli, const struct project_options *o, struct project **out);
// Builds the rows, several at a time, and prints the table (or JSON). The first row that fails
// gives the result; the others are built all the same.
enum diag_code project_build(struct cli *cli, struct project *p, const struct project_options *o);
// Frees what the rows hold.
void project_free(struct project *p);

#endif
