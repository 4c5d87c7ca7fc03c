// What differs between releases, as data. Rows are in order of release and do not overlap.
//
// Facts: py/qstr.h, py/obj.h, py/emitglue.h, py/frozenmod.c, py/persistentcode.h at each release.
#include "format/firmware/scan.h"

const struct fw_profile fw_profiles[] = {
    {.since = 118, .until = 118, .name = "1.18"},
    {.since = 119,
     .until = 119,
     .name = "1.19",
     .pool_tables = true,
     .frozen_module_t = true,
     .mpy_sub_version = 0},
    {.since = 120,
     .until = 121,
     .name = "1.20-1.21",
     .pool_tables = true,
     .slot_types = true,
     .frozen_module_t = true,
     .mpy_sub_version = 1},
    {.since = 122,
     .until = 122,
     .name = "1.22",
     .pool_tables = true,
     .pool_sorted_flag = true,
     .slot_types = true,
     .frozen_module_t = true,
     .mpy_sub_version = 2},
    {.since = 123,
     .until = 129,
     .name = "1.23-1.29",
     .pool_tables = true,
     .pool_sorted_flag = true,
     .slot_types = true,
     .frozen_module_t = true,
     .proto_fun = true,
     .mpy_sub_version = 3},
    {.name = NULL},
};

const struct fw_profile *fw_profile_find(unsigned major, unsigned minor)
{
    unsigned release = major * 100 + minor;
    for (const struct fw_profile *p = fw_profiles; p->name; p++)
        if (release >= p->since && release <= p->until)
            return p;
    return NULL;
}
