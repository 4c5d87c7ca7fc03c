// A made-up MicroPython firmware as bytes: no program that could run, but every structure that a
// stock image shows, in any layout. Tests and fuzzers use it where no real firmware can be had.
#ifndef TESTS_LIB_SYNTH_H
#define TESTS_LIB_SYNTH_H

#include "format/bytes.h"
#include "format/firmware/firmware.h"
#include "tests/lib/synth_esp.h"

enum synth_frozen { SYNTH_MODULES, SYNTH_SOURCES, SYNTH_NOTHING }; // what is frozen

struct synth_spec {
    unsigned minor;         // release 1.minor: 19 to 29
    enum image_machine isa; // thumb, arm, rv32 or xtensa
    enum mpy_arch arch;     // of machine code that a raw image runs, NONE by default
    unsigned hash_bytes, len_bytes;
    enum fw_repr repr; // A, B or C
    enum fw_float float_kind;
    enum fw_longint longint;
    unsigned mpz_dig_bits;
    bool immediates, save, movw; // movw: movw/movt pairs instead of literals (thumb)
    enum synth_frozen frozen;
    uint32_t stray;     // not 0: code loads this address, at which the image has nothing
    bool no_maxsize;    // no sys.maxsize: the kind of long integers shows in type int
    bool no_math;       // no module math, whose constants are float objects
    uint8_t made[2];    // what functions allocate for objects of type float (thumb); 0: none
    bool settrace;      // with save: raw codes hold decoded preludes
    bool debug_names;   // raw codes up to 1.22 hold a length without save, too
    bool sources;       // mp_frozen_str_sizes and _content are there; SYNTH_SOURCES has them
    bool ram_functions; // some functions run in memory that the image does not fill
    bool at_zero;       // the flash begins at address 0
    bool lvgl;          // qstrs as LVGL's fork has them before 1.22
    const char *board;
    const char *build;    // sys.implementation._build, before a _thread; NULL: neither
    uint32_t storage;     // what the constructor of a type Flash has as a constant; 0: no such type
    uint32_t storage_end; // another constant of that constructor; 0: none
    uint32_t flash_object;       // what an object of a type Flash names; 0: none
    uint32_t romfs;              // what a memoryview object in the image names; 0: none
    const struct synth_esp *esp; // a full-flash image of that family; NULL: a raw image
};

struct synth {              // what was put where, to compare a scan with
    struct bytes_out image; // a raw image for base, or a flash image
    uint64_t base, names, content, last_pool, type_str, modules[2], sizes, texts, lookup;
    unsigned n_qstrs;
    uint64_t data_end; // of the constants of a flash image
};

enum { SYNTH_BASE = 0x08000000 };

// The layout that most boards have: 1.26, thumb, 2 hash bytes, REPR_A, f32, MPZ with 16 bits.
struct synth_spec synth_default(void);
// Appends to s->image; free it with bytes_out_free.
void synth_make(const struct synth_spec *spec, struct synth *s);

#endif
