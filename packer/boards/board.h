// The boards table: where a firmware may grow and what must stay untouched. The table is the .ini
// files of this folder, built into the program; a board of one's own is one more such file, given
// as --board FILE.ini. README.txt beside them describes the keys.
#ifndef PACKER_BOARDS_BOARD_H
#define PACKER_BOARDS_BOARD_H

#include "format/firmware/firmware.h"

enum { BOARD_RANGES = 4 }; // no board in the field has more parts of one kind

struct board_range { // device addresses, or offsets in flash where by_offset is set
    uint64_t start, size;
};

struct board_ranges {
    unsigned n;
    struct board_range at[BOARD_RANGES];
};

struct board {
    const char *name;    // "PYBV11", "OPENMV4P", "RPI_PICO": the port's own name
    const char *title;   // for people
    const char *aliases; // further names, separated by blanks; "" = none
    const char *port, *mcu;
    const char *machine;   // what sys.implementation._machine says before " with MCU": one or more
                           // names, separated by |; "" = not known
    const char *container; // the usual file: "dfuse", "uf2", "hex", "bin", "esp"
    const char *note;      // what a user must know, "" = nothing
    bool by_offset;        // ranges are offsets in the flash chip (ESP32: addresses are mapped)
    struct board_ranges flash;  // all memory that an image may hold
    struct board_ranges app;    // where the firmware lies: a payload goes behind it in here
    struct board_ranges fs;     // file system; nothing of an image may lie here
    struct board_ranges romfs;  // ROMFS partition
    struct board_ranges ignore; // blocks of the container that are not firmware
    const char *file;           // where the entry stands, for messages
    unsigned line;
};

struct boards { // sorted by name
    unsigned n;
    struct board *at;
};

// The built-in table. Errors: DIAG_NOMEM (and DIAG_INTERNAL for a table that does not parse).
enum diag_code boards_load(struct arena *a, struct diag *d, struct boards **out);
// Adds the boards of a .ini text; base = boards that `like =` may name, or NULL.
// Errors: DIAG_MALFORMED with file and line.
enum diag_code boards_parse(const char *text, const char *file, const struct boards *base,
                            struct arena *a, struct diag *d, struct boards **out);
// A board by name or alias (in any case of letters), or the board of a .ini file, where the last
// one in the file counts. Errors: DIAG_USAGE with the names that come near; DIAG_IO;
// DIAG_MALFORMED.
enum diag_code board_find(const char *name, struct arena *a, struct diag *d,
                          const struct board **out);
// The first board by name that calls itself by this sys.implementation._machine, or NULL.
const struct board *board_match(const struct boards *boards, const char *machine);

// An image that contradicts the board is refused: DIAG_NO with what the image says, what the
// table says and what to do.
enum diag_code board_check(const struct board *board, const struct firmware *fw, struct diag *d);
// The free regions behind the image: the rest of the part of the board's application area that
// the image ends in, less its file systems. Empty for boards by_offset, where the container
// decides. The regions are in the arena.
enum diag_code board_free(const struct board *board, const struct image *img, struct arena *a,
                          struct diag *d, struct fw_region **regions, unsigned *n);

#endif
