// Can the product still be taken over by whoever has access to its file system or its console?
// What MicroPython does at start, and what of it a product must lock, is in README.md.
//
// Facts: py/builtinimport.c, py/objmodule.c, py/runtime.c (sys.path), shared/runtime/pyexec.c,
// ports/*/main.c of MicroPython 1.19 to 1.29.
#ifndef PACKER_CLI_PRODUCTION_H
#define PACKER_CLI_PRODUCTION_H

#include "format/firmware/firmware.h"
#include "packer/cli/cli.h"
#include "packer/splice/splice.h"

struct production_finding {
    const char *id;     // "no-main", "shadowed-import", "ends", "exception", "interrupt"
    const char *module; // "main.py"
    unsigned line;      // in it, 0 = unknown
    const char *text;   // what can happen, one line
    const char *fix;    // what to do
    bool advice;        // not held against a product by --strict
};

struct production {
    unsigned n;
    struct production_finding *findings;
};

// Looks at the boot.py and main.py of a product: the inputs, or what the firmware has of its own.
// Errors: DIAG_NOMEM.
enum diag_code production_check(struct cli *cli, const struct firmware *fw,
                                const struct splice_module *modules, unsigned n,
                                struct production *out);
// Warnings on stderr, unless quiet; with strict DIAG_NO when there are findings that are more than
// advice.
enum diag_code production_report(struct cli *cli, const struct production *p, bool strict,
                                 bool quiet);
// Adds them as an array "warnings" to an object.
void production_json(const struct production *p, struct json *j);

#endif
