// Signatures, the write side: private keys, signing, and putting in signatures made elsewhere.
// Everything here is deterministic: the same blob and key give the same bytes.
#ifndef PACKER_SIGN_SIGN_H
#define PACKER_SIGN_SIGN_H

#include "format/blob/blob.h"

struct sign_key; // a private key; sign_key_free wipes it

// Where the passphrase of an encrypted key comes from, in this order: the file, the environment
// variable MPY_FREEZE_PASSPHRASE, a prompt on the terminal.
struct sign_passphrase {
    const char *file; // NULL = not given; the first line counts
    bool prompt;      // may ask on the terminal
};

// Reads a PEM file: SEC1, PKCS#1 or PKCS#8, plain or encrypted. Errors: DIAG_IO, DIAG_MALFORMED,
// DIAG_NO for a key of a kind that is not supported or a wrong passphrase.
enum diag_code sign_key_read(const char *file, const struct sign_passphrase *pass, struct arena *a,
                             struct diag *d, struct sign_key **out);
void sign_key_free(struct sign_key *key);
enum blob_algorithm sign_key_algorithm(const struct sign_key *key);

// Adds a signature to an encoded blob (what blob_write appended), in place: the size stays. A
// signature of the same key is replaced. Errors: DIAG_NO when the reserved room is full.
enum diag_code sign_blob(uint8_t *blob, size_t size, const struct sign_key *key, struct diag *d);

#endif
