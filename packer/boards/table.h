// The texts of the .ini files of this folder; the Makefile writes table.c from them.
#ifndef PACKER_BOARDS_TABLE_H
#define PACKER_BOARDS_TABLE_H

struct boards_file {
    const char *file, *text;
};

extern const struct boards_file boards_table[]; // ends with a row of zeros

#endif
