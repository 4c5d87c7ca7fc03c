// The .mpy container as a code tree. The compiler makes the tree, mpy_read parses it from a file,
// the frozen reader recovers it from an image; mpy_write, the disassembler, the checker and the
// freezer take it. The tree is immutable once made and lives in its arena.
//
// Version 6 is that of MicroPython 1.19 to 1.29. Version 5 (1.12 to 1.18) is here for auditors: it
// is read, checked, listed and written, but neither compiled to nor frozen.
//
// Facts: MicroPython py/persistentcode.[ch], py/bc.h, tools/mpy-tool.py, releases 1.18 to 1.29.
#ifndef FORMAT_MPY_MPY_H
#define FORMAT_MPY_MPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/arena.h"
#include "format/bytes.h"
#include "format/diag.h"

enum {
    MPY_VERSION = 6,
    MPY_VERSION_OLD = 5,
    MPY_STATIC_QSTRS = 165
}; // static qstr ids are 1..165; 0 is MP_QSTRnull

// Architecture ids of the header's feature byte.
enum mpy_arch {
    MPY_ARCH_NONE,
    MPY_ARCH_X86,
    MPY_ARCH_X64,
    MPY_ARCH_ARMV6,
    MPY_ARCH_ARMV6M,
    MPY_ARCH_ARMV7M,
    MPY_ARCH_ARMV7EM,
    MPY_ARCH_ARMV7EMSP,
    MPY_ARCH_ARMV7EMDP,
    MPY_ARCH_XTENSA,
    MPY_ARCH_XTENSAWIN,
    MPY_ARCH_RV32IMC,
    MPY_ARCH_RV64IMC,
    MPY_ARCH_DEBUG,
};

// Object type bytes of the constant table; the values are the file's.
enum mpy_obj_kind {
    MPY_OBJ_FUN_TABLE,
    MPY_OBJ_NONE,
    MPY_OBJ_FALSE,
    MPY_OBJ_TRUE,
    MPY_OBJ_ELLIPSIS,
    MPY_OBJ_STR,
    MPY_OBJ_BYTES,
    MPY_OBJ_INT,
    MPY_OBJ_FLOAT,
    MPY_OBJ_COMPLEX,
    MPY_OBJ_TUPLE,
};

struct mpy_obj {
    enum mpy_obj_kind kind;
    uint32_t len; // STR, BYTES: bytes. INT, FLOAT, COMPLEX: length of the text. TUPLE: items
    union {
        const uint8_t *data; // STR, BYTES: the bytes. INT, FLOAT, COMPLEX: decimal or repr text
        const struct mpy_obj *items; // TUPLE
    };
};

struct mpy_qstr {
    const char *data; // not NUL-terminated in general; may hold NUL bytes
    uint32_t len; // bytes, at most 65535; the VM's own limit is 255 in builds with one length byte
    uint16_t static_id; // 1..165 if it is one of the static qstrs, else 0
};

// A string in machine code of version 5.
struct mpy_v5_link {
    uint32_t at;   // offset in the code times four, and what is there: a number or instructions
    uint32_t qstr; // index into the module's table
};

// What a function of version 5 has of its own: the names of its arguments and its constants. Its
// instructions and its prelude hold qstrs in two bytes: here, the index into the module's table.
struct mpy_v5 {
    uint32_t n_args;      // positional and keyword-only
    const uint32_t *args; // indices into the module's qstr table
    uint32_t n_objs;
    const struct mpy_obj *objs;
    // NATIVE, VIPER:
    uint32_t n_links;
    const struct mpy_v5_link *links;
    bool links_lost;  // frozen: the numbers of strings are in the code, but where is not known
    uint8_t names[4]; // NATIVE: what the file has in place of the two strings of the prelude
};

// Raw code kinds; the values are the file's.
enum mpy_code_kind { MPY_CODE_BYTECODE, MPY_CODE_NATIVE, MPY_CODE_VIPER, MPY_CODE_ASM };
enum { MPY_CHILDREN_MAX = (1 << 30) - 1 };

// What machine code has beyond its bytes.
struct mpy_machine {
    uint32_t prelude_offset; // NATIVE: of the prelude within data
    uint32_t scope_flags;    // VIPER, ASM: header word as in the file (scope flags)
    uint32_t n_pos_args;     // ASM
    uint32_t type_sig;       // VIPER, ASM
    // Natmod payloads (VIPER kind with the relocation flags set): rodata/bss sizes and relocations,
    // kept as in the file between the code and the children.
    uint32_t rodata_size, bss_size;
    uint32_t relocs_size;
    const uint8_t *rodata;
    const uint8_t *relocs;
};

struct mpy_code { // there may be one for every few bytes of a script
    // BYTECODE: prelude and bytecode. Others: machine code (with prelude, NATIVE)
    const uint8_t *data;
    uint64_t at;   // where data was found, for messages: offset in the file, address in an image; 0
                   // when it was just compiled
    uint32_t size; // of data
    enum mpy_code_kind kind : 2;
    unsigned n_children : 30;
    struct mpy_code *const *children;
    struct mpy_machine *machine; // NULL = nothing; see mpy_machine
    const struct mpy_v5 *v5;     // NULL in version 6
};

// The same, never NULL: all is 0 where there is nothing.
const struct mpy_machine *mpy_machine(const struct mpy_code *c);

struct mpy_module {
    bool v5;                // version 5
    uint8_t sub_version;    // 0..3; 0 in files without native code. Version 5: the feature flags
    enum mpy_arch arch;     // MPY_ARCH_NONE in files without native code
    uint8_t small_int_bits; // 31 by default
    bool has_arch_flags;    // feature bit 0x40 (1.27 on)
    uint32_t arch_flags;
    uint32_t n_qstr;
    const struct mpy_qstr *qstrs;
    uint32_t source; // which of them is the name of the source file: 0 in version 6
    uint32_t n_obj;
    const struct mpy_obj *objs;
    const struct mpy_code *root; // the module body
};

// The constants that the instructions of a function index.
const struct mpy_obj *mpy_code_objs(const struct mpy_module *m, const struct mpy_code *c,
                                    uint32_t *n);

// A function of version 5 that cannot be written, since the places of its strings are lost; NULL =
// none.
const struct mpy_code *mpy_v5_lost(const struct mpy_code *c);

// The 165 static qstrs, id 1..165; the same in every release from 1.18 to 1.29.
const char *mpy_static_qstr(unsigned id);
// The id of a string, or 0.
unsigned mpy_static_qstr_find(const char *s, size_t n);

// Parses a whole .mpy file. Everything is bounded and checked except the bytecode itself (see
// mpy_check). The tree points into data, which must outlive it. Errors: DIAG_MALFORMED.
enum diag_code mpy_read(const uint8_t *data, size_t size, const char *name, struct arena *a,
                        struct diag *d, struct mpy_module **out);
// Appends the file that mpy_read would parse to the same tree; the exact inverse of mpy_read and
// byte for byte what upstream's writer makes.
void mpy_write(const struct mpy_module *m, struct bytes_out *out);

#endif
