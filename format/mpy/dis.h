// Listings of .mpy code trees for people and, as JSON, for programs. Never fails on wrong bytecode:
// what does not decode is shown as bytes.
#ifndef FORMAT_MPY_DIS_H
#define FORMAT_MPY_DIS_H

#include "format/json.h"
#include "format/mpy/mpy.h"

// Appends a listing. name heads it: the file or frozen module. a is for scratch.
enum diag_code mpy_dis_text(const struct mpy_module *m, const char *name, struct arena *a,
                            struct bytes_out *out, struct diag *d);
// Adds one object to an array.
enum diag_code mpy_dis_json(const struct mpy_module *m, const char *name, struct arena *a,
                            struct json *j, struct diag *d);

// "armv7emsp"; "none" without native code.
const char *mpy_arch_name(enum mpy_arch arch);
const char *mpy_code_kind_name(enum mpy_code_kind kind); // "bytecode"
const char *mpy_obj_kind_name(enum mpy_obj_kind kind);   // "str"
// Appends a qstr or string as Python would write it ('a\n'), at most about max characters of it.
void mpy_dis_string(struct bytes_out *out, const void *data, size_t n, size_t max);
// Appends a constant as Python would write it.
void mpy_dis_obj(struct bytes_out *out, const struct mpy_obj *o, size_t max);

#endif
