// Public keys: loading, identity, and checking one signature. No private key is ever read here.
#ifndef VERIFY_HOST_KEY_H
#define VERIFY_HOST_KEY_H

#include "format/blob/blob.h"

enum { KEY_HASH_MAX = 48, KEY_SPKI_MAX = 1024 };

struct verify_key; // a public key; verify_key_free frees it

// Reads a public key (PEM or DER, SubjectPublicKeyInfo or PKCS#1) or an X.509 certificate, of which
// nothing but the key is used: dates and issuers are not trusted and not checked. Errors: DIAG_IO,
// DIAG_MALFORMED, DIAG_NO for kinds of keys that are not supported and for private keys.
enum diag_code verify_key_read(const char *file, struct diag *d, struct verify_key **out);
// The same from memory; data[size] must be NUL.
enum diag_code verify_key_parse(const uint8_t *data, size_t size, const char *name, struct diag *d,
                                struct verify_key **out);
void verify_key_free(struct verify_key *key);

enum blob_algorithm verify_key_algorithm(const struct verify_key *key);
const uint8_t *verify_key_id(const struct verify_key *key); // BLOB_DIGEST bytes
const char *verify_key_name(const struct verify_key *key);  // the file
// What makes a key worthless as proof: its private part is published. NULL = not known to be.
const char *verify_key_published(const struct verify_key *key);
// SubjectPublicKeyInfo in DER; returns its size.
size_t verify_key_spki(const struct verify_key *key, uint8_t spki[KEY_SPKI_MAX]);

// The digest that this algorithm signs: SHA-256 or, for P-384, SHA-384. Returns its size.
unsigned verify_key_digest(enum blob_algorithm algorithm, const void *message, size_t size,
                           uint8_t digest[KEY_HASH_MAX]);
// DIAG_OK if signature (in a blob's form) is the key's over the digest of message, DIAG_NO if not;
// DIAG_NOMEM when there was no memory to find out.
enum diag_code verify_key_check(const struct verify_key *key, const void *message,
                                size_t message_size, const uint8_t *signature,
                                size_t signature_size);

#endif
