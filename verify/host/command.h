// The verify command without its option parsing: mpy-freeze verify and mpy-verify are the same.
#ifndef VERIFY_HOST_COMMAND_H
#define VERIFY_HOST_COMMAND_H

#include "verify/host/verify.h"

struct verify_args {
    const char *file;
    unsigned n_keys;
    const char *const *keys; // file names
    const char *base;        // -f, or NULL
    const char *base_digest; // --base, 64 hexadecimal digits, or NULL
    const char *type;        // --type, or NULL
    const char *modules;     // --modules, or NULL
    uint64_t min_counter, required;
    bool allow_test_key, no_other_signatures, json;
};

// The synopsis behind the program's name, and the options; an example follows.
#define VERIFY_USAGE                                                                               \
    "FILE -k PUB.pem... [-f BASE | --base SHA256] [--modules LIST] [--min-counter N]\n"            \
    "       [--require N] [--no-other-signatures] [--allow-test-key] [--type TYPE] [--json]\n\n"   \
    "Proves that FILE, a product image or a blob, is a stock firmware with exactly the frozen\n"   \
    "modules that the owner of a key has signed.\n\n"                                              \
    "  -k PUB.pem         a trusted public key or certificate; may be given more than once\n"      \
    "  -f BASE            it must be made from this firmware file\n"                               \
    "  --base SHA256      it must be made from the firmware file, or address space, with this "    \
    "digest\n"                                                                                     \
    "  --modules LIST     the list of modules with their digests that build --list-modules or\n"   \
    "                     --detach-modules wrote; it must be the signed one\n"                     \
    "  --min-counter N    refuse anything with a lower counter\n"                                  \
    "  --require N        signatures by N of the keys are needed; 1 by default\n"                  \
    "  --no-other-signatures\n"                                                                    \
    "                     every signature must be a good one by a given key; without it, those\n"  \
    "                     by further keys are told as bytes that nothing proves\n"                 \
    "  --allow-test-key   accept keys whose private part is published\n"                           \
    "  --type TYPE        container, when it cannot be recognised\n"                               \
    "  --json             report as JSON\n\n"                                                      \
    "Results and exit codes: verified 0; untrusted key, bad signature, unproven signature,\n"      \
    "rolled back, altered payload, wrong base, altered base, wrong modules 1; malformed 3;\n"      \
    "unsigned 5.\n\n"                                                                              \
    "Example:\n"

// Verifies and appends the report to out: text if verified, JSON always. The answer is the code;
// a "no" without --json is described in d. Errors: as verify_result_code, DIAG_USAGE, DIAG_IO.
enum diag_code verify_command(const struct verify_args *args, struct arena *a, struct diag *d,
                              struct bytes_out *out);

#endif
