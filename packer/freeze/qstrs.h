// The qstrs of a firmware and the new ones that the inputs bring: one table by content, then the
// new pools. Internal to packer/freeze.
#ifndef PACKER_FREEZE_QSTRS_H
#define PACKER_FREEZE_QSTRS_H

#include "packer/freeze/pieces.h"

struct qstr_entry {
    const char *data;
    uint32_t len, hash; // the unmasked 32-bit hash
    uint32_t id;        // of the firmware; new ones get theirs in qstrs_number
    uint32_t order;     // of first use among the new ones
};

struct qstrs_text { // a text with its NUL that the payload has for another reason
    const char *data;
    uint32_t len;
    struct place at;
};

struct qstrs {
    const struct firmware *fw;
    struct arena *arena;
    uint32_t *slots; // index into entries + 1, open addressing
    uint32_t n_slots;
    struct qstr_entry *entries; // stock ones first
    uint32_t n, cap, n_stock;
    uint32_t *sorted; // the new ones in pool order: with NUL first, then the others
    uint32_t n_nul;   // how many of them hold a NUL
    const struct fw_qstr_pool *stock_end; // the firmware's pool that new ones follow
    struct qstrs_text *written;
    uint32_t n_written, cap_written;
};

void qstrs_init(struct qstrs *q, const struct firmware *fw, struct arena *a);
// Index of the entry with this text, or UINT32_MAX.
uint32_t qstrs_find(const struct qstrs *q, const char *s, size_t n);
// The same, adding it as a new one where it is not there.
uint32_t qstrs_add(struct qstrs *q, const char *s, size_t n);
// Gives the new ones their ids. Errors: DIAG_NO when there are more than ids.
enum diag_code qstrs_number(struct qstrs *q, struct diag *d);
// New qstrs may use this text, which was written at a place of its own.
void qstrs_have_text(struct qstrs *q, const char *s, size_t n, struct place at);
// Writes the new pools into the current run; *last is the place of the one that ends the chain.
// There must be at least one new qstr.
void qstrs_write(const struct qstrs *q, struct pieces *p, struct place *last);
// The same with a copy of the firmware's last pool ahead of them, and without the last qstr: that
// one alone is the pool that head describes, for the old place of the last pool. False when that
// pool is not in the image. An empty pool gets prev and total alone, and all qstrs lie before it.
struct qstrs_head {
    struct place prev, hashes, lengths, text;
    uint64_t total; // with the flag
    bool empty;
};
bool qstrs_write_in_place(struct qstrs *q, struct pieces *p, struct qstrs_head *head);

// The hash as the firmware keeps it in string objects and pools (py/qstr.c).
uint32_t qstrs_hash(const struct firmware *fw, const void *s, size_t n);

#endif
