// The inside of the scan: what its passes share. Nothing here is for other rooms.
//
// Order of the passes (scan.c): view, base, pools, types, release, options, frozen tables,
// references, regions. Each pass reads the view and the results of those before it.
#ifndef FORMAT_FIRMWARE_SCAN_H
#define FORMAT_FIRMWARE_SCAN_H

#include "format/firmware/firmware.h"

enum { VIEW_DT_PLTGOT = 3 };

// One run of bytes as the running firmware sees it, dynamic relocations applied.
struct view_span {
    uint64_t run, size;
    const uint8_t *data;
    uint32_t pos; // of data[0] in the concatenation of all spans
    unsigned flags;
};

// The address space, and an index of every word in it that holds an address of it.
struct view {
    const struct image *image;
    unsigned n;
    struct view_span *spans; // sorted by run
    unsigned ptr;            // bytes in a pointer
    uint64_t low, high;      // all spans lie in [low, high)
    uint32_t total;          // bytes in all spans
    uint32_t *buckets;       // bucket b: where[buckets[b] .. buckets[b + 1])
    uint32_t *where;         // positions of pointer words, grouped by value
    uint32_t n_where;
};

// A frozen module table as its data shows it; whether code uses it, the references tell. A product
// holds the stock tables beside the live ones.
struct frozen_table {
    uint64_t content;   // of the array
    uint32_t n;         // entries
    uint64_t mpy_names; // of the name of entry 0
    uint64_t names_end; // behind the end mark
    uint64_t *starts;   // addresses at which the whole list may start; [0] is mpy_names
    unsigned n_starts;
};

// A set of small numbers that forgets little: may hold what was never put in, holds all that was.
enum { SIEVE_BITS = 4096 };
struct sieve {
    uint64_t bits[SIEVE_BITS / 64];
};

static inline void sieve_put(struct sieve *s, uint64_t n)
{
    s->bits[n / 64 % (SIEVE_BITS / 64)] |= UINT64_C(1) << n % 64;
}

static inline bool sieve_may_hold(const struct sieve *s, uint64_t n)
{
    return s->bits[n / 64 % (SIEVE_BITS / 64)] >> n % 64 & 1;
}

// What references are looked for; the sweeps add what they find to refs.
struct ref_target {
    uint64_t addr;
    uint64_t slot_of; // not 0: addr is a word that holds the address slot_of (a GOT entry)
    struct fw_refs refs;
    unsigned cap;
};

struct ref_sweep {
    struct scan *scan;
    uint64_t from, to; // the code that is read
    bool collect;      // every address of the image is wanted
    unsigned n;
    struct ref_target *targets; // sorted by addr
    uint64_t spent;             // bytes of code read for single words, see ref_spend
    bool nomem;
};

struct flow_step; // flow.h
struct blob;      // format/blob/blob.h

struct ref_isa { // one a ref_*.c
    enum image_machine isa;
    void (*sweep)(struct ref_sweep *r);
    // The instruction that loads the literal word, 0 = none; NULL where code has no literals.
    uint64_t (*user)(const struct view *v, uint64_t literal);
    // The start of the function that addr lies in, 0 = unknown; NULL where flow.c finds it.
    uint64_t (*function)(const struct view *v, uint64_t addr);
    // The instruction at an address; false where none of the set is.
    bool (*step)(const struct view *v, uint64_t at, struct flow_step *s);
    // The first place at or behind at in code of n bytes where a call to a known place may be; n or
    // more where none is. at is a place of an instruction.
    uint64_t (*next_call)(const uint8_t *p, uint64_t at, uint64_t n);
    unsigned align;    // of instructions
    bool one_by_one;   // code is read instruction by instruction, not at every aligned place
    bool odd_pointers; // pointers to functions have bit 0 set
};

// What bounds free space, and what says so.
struct limit {
    uint64_t addr; // first address that is not free; 0 = unknown
    const char *why;
};

struct scan {
    struct view view;
    struct firmware *fw;
    struct arena *arena;
    struct diag *diag;
    unsigned evidence_cap, qstrs_cap;
    uint16_t module_id;  // of the qstr "<module>", what the body of a module is called
    bool old_pools;      // up to 1.18: hash and length in front of each text
    unsigned obj;        // bytes in an mp_obj_t: 8 with REPR_D, else a pointer's
    uint64_t name_id;    // qstr id of "<module>"
    uint64_t builtins;   // the builtins globals table, 0 = not found
    uint64_t version_at; // of the release text, 0 = none
    uint64_t sealed;     // the block of a boot ROM with a hash or signature of the image, 0 = none
    unsigned n_tables;
    struct frozen_table *tables;
    struct ref_sweep sweep;
    struct blob *blob; // NULL where the image is no product of ours
};

// --- scan.c
// Is there something of a blob other than its payload? It holds instructions that were written and
// replaced, as data.
bool scan_is_record(const struct scan *s, uint64_t run);
// Is it of a blob?
bool scan_is_spliced(const struct scan *s, uint64_t run);

// --- view.c
enum diag_code view_init(struct view *v, const struct image *img, struct arena *a, struct diag *d);
// Builds the index; call again after the image was rebased.
enum diag_code view_index(struct view *v, struct arena *a, struct diag *d);
const struct view_span *view_span_at(const struct view *v, uint64_t addr);
// size bytes at addr, or NULL.
const uint8_t *view_at(const struct view *v, uint64_t addr, uint64_t size);
bool view_u16(const struct view *v, uint64_t addr, uint16_t *out);
bool view_u32(const struct view *v, uint64_t addr, uint32_t *out);
bool view_word(const struct view *v, uint64_t addr, uint64_t *out); // pointer-sized
bool view_is_pointer(const struct view *v, uint64_t addr,
                     uint64_t *out); // word at addr, valid address
// The word at addr names code: where that lies (see image_code_data).
bool view_is_code(const struct view *v, uint64_t addr, uint64_t *out);
uint64_t view_addr(const struct view *v, uint32_t pos);
// A NUL-terminated text of at most max bytes, or NULL.
const char *view_text(const struct view *v, uint64_t addr, uint32_t max, uint32_t *len);
bool view_is_text(const struct view *v, uint64_t addr, const char *text);
// Addresses of the words that hold value: for (uint32_t i = 0; view_users(v, value, &i, &at);).
bool view_users(const struct view *v, uint64_t value, uint32_t *i, uint64_t *at);
// The next place of needle at or behind *at (start with *at = 0); *at is left on it.
bool view_find(const struct view *v, const void *needle, size_t n, uint64_t *at);
// The value of a tag of the dynamic section; false in images that have none.
bool view_dynamic(const struct view *v, uint64_t tag, uint64_t *value);
const uint8_t *bytes_find(const uint8_t *p, size_t size, const void *needle, size_t n);

// --- the passes; each notes what it found as evidence
enum diag_code base_infer(struct scan *s, struct image *img); // base.c
enum diag_code pool_scan(struct scan *s);                     // pool.c
enum diag_code type_scan(struct scan *s);                     // type.c
enum diag_code release_scan(struct scan *s);                  // release.c
// Refuses an old release or a fork when a text names it; false when none does (release.c).
bool release_refuse_named(struct scan *s);
void isa_scan(struct scan *s);              // isa.c
enum diag_code option_scan(struct scan *s); // option.c
enum diag_code frozen_scan(struct scan *s); // frozen.c: the candidates
// Is there bytecode with a prelude at addr, of a function of the module with this qstr table?
bool frozen_is_bytecode(const struct scan *s, uint64_t addr, uint64_t qstr_table); // frozen.c
enum diag_code frozen_choose(struct scan *s); // frozen.c: the one in use
enum diag_code ref_scan(struct scan *s);      // ref.c
// Places that may be the table of sizes and the texts of frozen sources (str.c).
enum { STR_PAIRS_MAX = 64 };
struct str_tables {
    unsigned n;
    uint64_t sizes[STR_PAIRS_MAX], content[STR_PAIRS_MAX];
};
void str_collect(const struct scan *s, struct str_tables *out);
void str_take(struct scan *s, uint64_t sizes, uint64_t content);
// Do n sizes stand at one address, and texts of these sizes at the other?
bool str_agree(const struct scan *s, uint64_t sizes, uint64_t content, uint32_t n);
// region.c: adds a free region; false: no memory
bool region_add(struct scan *s, uint64_t from, uint64_t to, const char *why, bool contiguous);
bool region_esp(struct scan *s);                                   // region_esp.c
void limit_lower(struct limit *l, uint64_t addr, const char *why); // region.c
// declared.c: what tables made for tools say, as evidence and as limits; pool is where a qstr pool
// is stored, window the start of the flash. True when a file system is among them.
bool declared_limit(struct scan *s, uint64_t pool, uint64_t window, struct limit *l);
// mapped.c: whether the constants of an ESP32-family image may take more pages; false: no memory
bool mapped_scan(struct scan *s, const struct image_segment *data);
// protect.c: whether machine code runs from the flash behind data, an address of constants of an
// Espressif chip
void protect_scan(struct scan *s, uint64_t data);
// pmp.c: whether a RISC-V image lets code in a range of addresses run; FW_UNKNOWN where it does not
// show
enum fw_tri pmp_allows_running(const struct scan *s, uint64_t from, uint64_t to);
enum diag_code symbol_confirm(struct scan *s); // symbol.c
enum diag_code raw_scan(struct scan *s);       // raw.c
enum diag_code region_scan(struct scan *s);    // region.c
void scan_note(struct scan *s, const char *what, uint64_t addr, const char *why, const char *fmt,
               ...) DIAG_PRINTF(5, 6);

bool type_has_slots(const struct scan *s); // mp_obj_type_t has slots: 1.20 on

// --- type.c: objects by this firmware's representation
bool obj_is_qstr(const struct scan *s, uint64_t obj, uint32_t *id);
// The low 32 bits of the object of a qstr: a quick test in front of obj_is_qstr.
uint32_t obj_qstr_low(const struct scan *s, uint32_t id);
bool obj_is_small_int(const struct scan *s, uint64_t obj, int64_t *value);
bool obj_read(const struct scan *s, uint64_t addr, uint64_t *obj);
// The text of a str object at addr; NULL if it is none.
const char *obj_str(const struct scan *s, uint64_t obj, uint32_t *len);

// --- ref.c
enum { REF_COLLECT_MAX = 128 }; // addresses that a collecting sweep keeps
// The instruction that loads the literal word at addr; 0 = none.
uint64_t ref_user_of_literal(const struct scan *s, uint64_t addr);
// The instruction sets of this image, the likeliest first; start with *i = 0. NULL = no more.
const struct ref_isa *ref_isa_of(const struct scan *s, unsigned *i);
void ref_want(struct ref_sweep *r, uint64_t addr);
// Finds what refers to the addresses wanted.
enum diag_code ref_sweep_targets(struct scan *s, struct ref_sweep *r);
struct fw_refs ref_take(struct ref_sweep *r, uint64_t addr);
// Fills the functions in of the references of some lists.
void ref_functions(const struct scan *s, struct fw_refs *const *lists, unsigned n_lists);
// The tables of firmware in which no source is frozen, or nothing at all (lookup.c).
enum diag_code lookup_scan(struct scan *s);
bool ref_uses_literals(const struct scan *s);
// May code load an address from any word that holds it?
bool ref_loads_words(const struct scan *s);
struct ref_target *ref_target_at(struct ref_sweep *r, uint64_t addr); // NULL = not wanted
// The next span of code of the sweep; start with *i = 0.
bool ref_next_code(const struct ref_sweep *r, unsigned *i, struct view_span *out);
void ref_thumb_anchors(struct ref_sweep *r, const struct view_span *span);
// Takes bytes from the budget of a sweep; false when a made-up image has used it up.
bool ref_spend(struct ref_sweep *r, uint64_t bytes);
void ref_add(struct ref_sweep *r, struct ref_target *t, const struct fw_ref *ref);
extern const struct ref_isa ref_thumb, ref_arm, ref_x86, ref_x64, ref_aarch64, ref_rv32, ref_rv64,
    ref_xtensa;

// --- ref_xtensa.c
// The next instruction at or behind *from that loads the literal word; *from is left on it.
bool ref_xtensa_user(const struct view *v, uint64_t literal, uint64_t *from, uint64_t *user);
// The word that an l32r at addr loads; false if the bytes there are none. Whether they are an
// instruction the caller must know.
bool ref_xtensa_load(const struct view *v, uint64_t addr, uint32_t *value);

// --- profile.c
extern const struct fw_profile fw_profiles[];
const struct fw_profile *fw_profile_find(unsigned major, unsigned minor);

#endif
