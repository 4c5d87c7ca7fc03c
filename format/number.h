// Numbers as users write them on command lines and in board and project files.
#ifndef FORMAT_NUMBER_H
#define FORMAT_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

// A decimal number, or a hexadecimal one behind 0x, at *text, which moves behind it. No blanks, no
// sign, and a leading 0 does not make it octal: 010 is ten. False if there is none, or it is too
// large.
bool number_read(const char **text, uint64_t *v);
// The same, and nothing follows it.
bool number_whole(const char *text, uint64_t *v);
// The same, with K or M (1024, 1024 * 1024) behind it or not, and whatever follows that.
bool number_size(const char **text, uint64_t *v);

#endif
