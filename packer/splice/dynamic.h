// Position-independent ELF images: every pointer of the payload needs a RELATIVE relocation, so the
// payload carries a longer copy of the relocation table and the dynamic section is pointed at it.
// Internal to packer/splice.
//
// Facts: System V gABI, dynamic section; psABI supplements, relocation numbers; glibc
// elf/dynamic-link.h: the first DT_RELACOUNT (DT_RELCOUNT) entries must be RELATIVE.
#ifndef PACKER_SPLICE_DYNAMIC_H
#define PACKER_SPLICE_DYNAMIC_H

#include "packer/freeze/freeze.h"
#include "packer/splice/patch.h"

struct dynamic {
    const struct firmware *fw;
    bool rela;          // entries hold addends; else the addends stand in the words
    unsigned entry;     // bytes of one entry
    uint32_t type;      // RELATIVE of this machine
    uint64_t size;      // bytes of the old table
    uint64_t count;     // RELATIVE entries at its begin
    const uint8_t *old; // the old table
    // Addresses of the values in the dynamic section; count_at is 0 where the tag is missing.
    uint64_t table_at, size_at, count_at;
    uint8_t *table; // the new table, from dynamic_make on
    uint64_t n;     // entries added
};

// Errors: DIAG_NO when the image has no table that could grow.
enum diag_code dynamic_find(const struct firmware *fw, struct diag *d, struct dynamic *dyn);
// Bytes of the table with n entries more.
uint64_t dynamic_size(const struct dynamic *dyn, uint64_t n);
// Makes the new table for the pointers of a payload at addr.
void dynamic_make(struct dynamic *dyn, const struct freeze *f, uint64_t addr, struct arena *a);
// Gives the word at where another value (at load base 0): in the new table where the addends stand
// there, else by a patch of the word.
enum diag_code dynamic_redirect(struct dynamic *dyn, uint64_t where, uint64_t value,
                                struct patches *p);
// Makes the loader use the new table, which lies at table_addr.
enum diag_code dynamic_use(const struct dynamic *dyn, uint64_t table_addr, struct patches *p);

#endif
