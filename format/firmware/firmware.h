// MicroPython inside an image, recovered from the bytes alone (ELF symbols, where present, only
// confirm). All addresses are run-time addresses (see image_segment.run), lengths are in bytes
// unless a field says otherwise. The result is immutable and lives in the image's arena.
//
// Facts: py/qstr.[ch], py/obj.h, py/objmodule.h, py/frozenmod.[ch], py/emitglue.[ch], py/bc.[ch] of
// MicroPython 1.18 to 1.29.
#ifndef FORMAT_FIRMWARE_FIRMWARE_H
#define FORMAT_FIRMWARE_FIRMWARE_H

#include "format/image/image.h"
#include "format/mpy/mpy.h"

enum fw_repr { FW_REPR_UNKNOWN, FW_REPR_A, FW_REPR_B, FW_REPR_C, FW_REPR_D };
enum fw_float { FW_FLOAT_UNKNOWN, FW_FLOAT_NONE, FW_FLOAT_F32, FW_FLOAT_F64 };
enum fw_longint { FW_LONGINT_UNKNOWN, FW_LONGINT_NONE, FW_LONGINT_LONGLONG, FW_LONGINT_MPZ };
enum fw_tri { FW_UNKNOWN, FW_NO, FW_YES };

// What a release does, as data: one row a release range, in profile.c.
struct fw_profile {
    uint16_t since, until;   // major * 100 + minor, inclusive: 119 = 1.19
    const char *name;        // "1.23-1.25"
    bool pool_tables;        // 1.19 on: hashes, lengths and strings are separate arrays
    bool pool_sorted_flag;   // 1.22 on: bit 31 of total_prev_len; pools after the static one sorted
    bool slot_types;         // 1.20 on: slot index bytes in mp_obj_type_t
    bool frozen_module_t;    // 1.19 on: the content array points to mp_frozen_module_t
    bool proto_fun;          // 1.23 on: proto_fun instead of raw code, {0,0,kind,is_generator}
    uint8_t mpy_sub_version; // of native code: 0, 1, 2 or 3
};

struct fw_qstr_pool {
    uint64_t addr;
    uint32_t total_prev, alloc, len; // len: entries
    bool sorted;
    uint64_t hashes, lengths, qstrs; // addresses of the three tables; hashes 0 when absent
};

struct fw_qstr { // resolved: all pools of the chain, index = qstr id
    const char *data;
    uint32_t len;
    uint32_t hash;
};

// How a reference in code or data gives an address.
enum fw_ref_kind {
    FW_REF_WORD, // an aligned pointer word that code loads (literal pool, GOT entry, table)
    FW_REF_WORD_RELATIVE, // the same in a position-independent image: fixed up by a RELATIVE
                          // relocation
    FW_REF_MOVW_MOVT,     // Thumb-2 or A32 pair: addr, addr2
    FW_REF_RIP32,      // x86-64: 32-bit displacement at addr, relative to next (end of instruction)
    FW_REF_ABS32,      // x86: absolute 32-bit operand at addr
    FW_REF_GOTOFF32,   // i386 PIC: 32-bit displacement at addr relative to the GOT base in next
    FW_REF_ADRP_ADD,   // AArch64: adrp at addr, add (or load with offset) at addr2
    FW_REF_ADR,        // AArch64 adr
    FW_REF_LUI_LO12,   // RISC-V: lui at addr, low part at addr2 (one entry for each user)
    FW_REF_AUIPC_LO12, // RISC-V: auipc at addr, low part at addr2
    FW_REF_PCREL_WORD, // a literal word at addr that is added to the pc (or GOT base) value in next
                       // (ARM PIC)
};

struct fw_ref {
    enum fw_ref_kind kind;
    uint64_t addr;  // of the word or instruction (or displacement field) to change
    uint64_t addr2; // second instruction of a pair, else 0
    uint64_t next;  // base that a relative form counts from
    int64_t
        addend; // the code adds this to what the reference gives (anchors): target = value + addend
    uint64_t user;     // an instruction that makes or loads it, 0 = unknown
    uint64_t function; // start of the function it lies in, 0 = unknown
    uint64_t target;   // the address it gives
    unsigned users;    // instructions that load through it; 0 = not counted
};

struct fw_refs {
    unsigned n;
    struct fw_ref *refs;
};

// Bytes of a frozen text that is looked for. It holds no NUL: one ends it.
enum { FW_TEXT_MAX = 1 << 20 };

enum fw_module_kind { FW_MODULE_STR, FW_MODULE_MPY };

struct fw_module { // one entry of the frozen tables, in table order
    enum fw_module_kind kind;
    const char *name; // "asyncio/__init__.py", as in mp_frozen_names
    uint64_t addr;    // MPY: the mp_frozen_module_t (or raw code before 1.19). STR: the text
    uint64_t size;    // bytes that belong to it: text, or code + tables + constants of its own
    uint64_t qstr_table, obj_table, code; // MPY, 1.19 on
    uint64_t code_size;                   // bytecode and machine code
    bool spliced;                         // lies in a blob of ours
};

struct fw_region { // where a payload may go
    uint64_t addr, size;
    const char *why; // what ends it: "end of flash", "file system at 0x...", "DROM page end"
    bool contiguous_with_image; // begins right behind the last used byte
};

// A fact and where it was read, for info -v.
struct fw_evidence {
    const char *what;  // "repr", "base", "qstr hash bytes"
    const char *value; // "A", "0x08000000"
    uint64_t addr;     // 0 = none
    const char *why;
};

enum fw_object { // addresses of the objects that frozen constants point to
    FW_TYPE_TYPE,
    FW_TYPE_INT,
    FW_TYPE_STR,
    FW_TYPE_BYTES,
    FW_TYPE_TUPLE,
    FW_TYPE_FLOAT,
    FW_TYPE_COMPLEX,
    FW_TYPE_BOOL,
    FW_TYPE_LIST,
    FW_TYPE_DICT,
    FW_CONST_NONE,
    FW_CONST_FALSE,
    FW_CONST_TRUE,
    FW_CONST_ELLIPSIS, // objects; NONE..TRUE unused with immediates
    FW_FUN_TABLE,      // mp_fun_table, 0 when the firmware cannot run native code
    FW_CONST_EMPTY_TUPLE,
    FW_OBJECTS,
};

struct firmware {
    struct image *image;
    const struct fw_profile *profile;
    unsigned major, minor, patch;
    const char *version; // "1.26.1", "1.27.0-preview.5.g..." as found
    const char *fork;  // "CircuitPython 8.2.2", as the image calls itself; NULL when it is no fork
    const char *build; // "on 2025-04-26; linux [GCC 14.2.0] version" or ""
    const char *board; // sys.implementation._machine or ""
    const char *build_name; // sys.implementation._build, "RPI_PICO2", or ""
    int mpy_abi;            // sys.implementation._mpy, -1 = not found
    enum image_machine isa;
    enum mpy_arch mpy_arch; // native architecture the firmware accepts, from _mpy
    unsigned ptr;           // bytes in a pointer: 4 or 8
    enum fw_repr repr;
    enum fw_float float_kind;
    enum fw_longint longint;
    unsigned mpz_dig_bits;   // 16 or 32; 0 = not MPZ or unknown
    unsigned small_int_bits; // of a small int, sign included: 31, 30, 63, 47
    enum fw_tri immediate_objs, save, settrace, native;
    enum fw_tri debug_names;                  // 1.19-1.22: raw code keeps fun_data_len
    unsigned qstr_hash_bytes, qstr_len_bytes; // 0..2, 1..2
    bool qstr_sorted_word;                    // pools have a word is_sorted before qstrs[]
    unsigned n_pools;
    struct fw_qstr_pool *pools; // [0] is the first (static) pool
    unsigned n_qstrs;
    struct fw_qstr *qstrs;
    const uint32_t *qstr_map; // hash table from text to id, for firmware_qstr
    uint32_t qstr_map_mask;
    uint64_t objects[FW_OBJECTS]; // 0 = not found
    // frozen tables
    enum fw_tri frozen;         // the build supports frozen modules
    uint64_t names, names_size; // mp_frozen_names, with its end mark
    uint64_t content;           // mp_frozen_mpy_content; 0 = none, see folded
    // The literal word by which code has the address of the only module, where link-time
    // optimisation removed the array; 0 = not so.
    uint64_t folded;
    uint64_t str_sizes, str_content; // mp_frozen_str_sizes / _content; 0 = not supported
    unsigned n_modules, n_str;       // n_str of them are STR, they come first
    struct fw_module *modules;
    // Where the tables and bodies of the modules begin, sorted; NULL = not gathered.
    uint64_t *starts;
    uint32_t n_starts;
    uint64_t
        find_frozen_function; // mp_find_frozen_module (or what it was inlined into), 0 = unknown
    unsigned pool_words;      // aligned words of the image that hold the address of the last pool
    // ESP32 family: constant data has the pages of the flash MMU up to mapped_end; 0 = not so.
    // Pages behind it can be added when mapped_grows is FW_YES, if each of mapped_refs is made to
    // give as many bytes more.
    uint64_t mapped_end;
    enum fw_tri mapped_grows;
    struct fw_refs mapped_refs;
    // Whether machine code runs from the flash that frozen modules go to; FW_NO with the reason.
    enum fw_tri code_runs;
    const char *code_why;
    // Machine code runs apart from the modules that have it: up to code_room bytes may be added at
    // code_at, of which whole words only can be read. 0: it runs where it is frozen.
    uint64_t code_at, code_room;
    struct fw_refs names_refs, content_refs, pool_refs, str_sizes_refs, str_content_refs;
    unsigned n_free;
    struct fw_region *free;
    unsigned n_evidence;
    struct fw_evidence *evidence;
};

// Finds MicroPython in an image (a raw image is rebased). DIAG_NO: not found, or found and not
// supported, with the reason in the diagnostic; *out is set when something was found.
enum diag_code firmware_scan(struct image *img, struct diag *d, struct firmware **out);

// The qstr id of a string in the firmware's pools, 0 = not there.
uint32_t firmware_qstr(const struct firmware *fw, const char *s, size_t n);
// The firmware's qstr hash of a string.
uint32_t firmware_qstr_hash(const struct firmware *fw, const char *s, size_t n);

// Fills in starts, which firmware_unfreeze needs to see where functions without a length end. The
// scan does so.
void firmware_gather_starts(struct firmware *fw, struct arena *a);
// Turns a frozen module back into a code tree (format/firmware/unfreeze.c).
enum diag_code firmware_unfreeze(const struct firmware *fw, const struct fw_module *m,
                                 struct arena *a, struct diag *d, struct mpy_module **out);
// A frozen source text; NULL if m is not one.
const uint8_t *firmware_str_module(const struct firmware *fw, const struct fw_module *m,
                                   size_t *size);

const char *fw_repr_name(enum fw_repr r);        // "A"
const char *fw_isa_name(enum image_machine isa); // "thumb"

#endif
