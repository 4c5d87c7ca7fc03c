// Signatures, the write side: private keys, signing, and putting in signatures made elsewhere.
// Everything but sign_key_generate and the encryption of keys is deterministic: the same blob and
// key give the same bytes.
#ifndef PACKER_SIGN_SIGN_H
#define PACKER_SIGN_SIGN_H

#include "format/blob/blob.h"
#include "verify/host/key.h"

enum { SIGN_PASSPHRASE_MAX = 1024 };

struct sign_key; // a private key; sign_key_free wipes it

// Where the passphrase of an encrypted key comes from, in this order: the file, the environment
// variable MPY_FREEZE_PASSPHRASE, a prompt on the terminal.
struct sign_passphrase {
    const char *file; // NULL = not given; the first line counts
    bool prompt;      // may ask on the terminal
};

// Gets the passphrase into text (which the caller wipes). what: the key's file, for the prompt;
// twice: ask a second time and compare. Errors: DIAG_USAGE when there is no source, DIAG_IO.
enum diag_code sign_passphrase_get(const struct sign_passphrase *pass, const char *what, bool twice,
                                   struct diag *d, char text[SIGN_PASSPHRASE_MAX]);
// True if a passphrase can be had without asking.
bool sign_passphrase_given(const struct sign_passphrase *pass);

// Reads a PEM or DER file: SEC1, PKCS#1 or PKCS#8, plain or encrypted. Errors: DIAG_IO,
// DIAG_MALFORMED, DIAG_NO for a kind of key that is not supported or a wrong passphrase.
enum diag_code sign_key_read(const char *file, const struct sign_passphrase *pass, struct arena *a,
                             struct diag *d, struct sign_key **out);
// The same from memory; data[size] must be NUL.
enum diag_code sign_key_parse(const uint8_t *data, size_t size, const char *name,
                              const struct sign_passphrase *pass, struct arena *a, struct diag *d,
                              struct sign_key **out);
void sign_key_free(struct sign_key *key);
enum blob_algorithm sign_key_algorithm(const struct sign_key *key);
const uint8_t *sign_key_id(const struct sign_key *key);
// A new key from the system's random source.
enum diag_code sign_key_generate(enum blob_algorithm type, struct arena *a, struct diag *d,
                                 struct sign_key **out);
// Appends the key as PKCS#8 PEM; encrypted (PBES2, AES-256-CBC, PBKDF2-HMAC-SHA-256) with a
// passphrase, plain with NULL.
enum diag_code sign_key_pem(const struct sign_key *key, const char *passphrase,
                            struct bytes_out *out, struct diag *d);
// That the public part of a key that was read is that of its private part: a file says both, and
// only signing uses both. Errors: DIAG_MALFORMED.
enum diag_code sign_key_check(const struct sign_key *key, const char *name, struct diag *d);
// Appends the public key as PEM (SubjectPublicKeyInfo).
enum diag_code sign_public_pem(const struct sign_key *key, struct bytes_out *out, struct diag *d);

// Adds a signature to an encoded blob (what blob_write appended), in place: the size stays. A
// signature of the same key is replaced. Errors: DIAG_NO when the reserved room is full.
enum diag_code sign_blob(uint8_t *blob, size_t size, const struct sign_key *key, struct diag *d);
// The same in two steps: every signature is checked after it was made (a key whose public part is
// another key's, or a fault in the computation, must not get out), and that goes on beside other
// work, see task.h. sign_begin takes the key over, also when it fails, and puts the check in front
// of a list (NULL = empty); nobody may use the blob before sign_end has said yes to the list.
struct sign_check;
enum diag_code sign_begin(uint8_t *blob, size_t size, struct sign_key *key, struct arena *a,
                          struct diag *d, struct sign_check **list);
enum diag_code sign_end(struct sign_check *list, struct diag *d);
// Adds a signature that was made elsewhere, as it is in a blob or in DER (ECDSA). Errors: DIAG_NO
// when it is not the key's signature of this blob.
enum diag_code sign_put(uint8_t *blob, size_t size, const struct verify_key *key,
                        const uint8_t *signature, size_t signature_size, const char *name,
                        struct diag *d);

#endif
