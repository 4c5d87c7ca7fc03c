// Files that are certainly no firmware image, but what people have when they look for one: they are
// named instead of being searched as raw memory.
//
// Facts: the magic numbers of APPNOTE.TXT (zip), RFC 1952 (gzip), the xz and 7z formats, ar(5), the
// WebAssembly core specification, Mach-O's loader.h and the PE format.
#include "format/image/container.h"

static const struct {
    const char *magic;
    uint8_t size;
    bool packed;
    const char *what;
} image_foreign[] = {
    {"PK\3\4", 4, true, "a zip archive"},
    {"\x1f\x8b\x08", 3, true, "a file compressed by gzip"},
    {"\xfd"
     "7zXZ\0",
     6, true, "a file compressed by xz"},
    {"7z\xbc\xaf\x27\x1c", 6, true, "a 7z archive"},
    {"!<arch>\n", 8, true, "an ar archive"},
    {"\0asm\1\0\0\0", 8, false, "a WebAssembly module"},
    {"\xce\xfa\xed\xfe", 4, false, "a Mach-O program"},
    {"\xcf\xfa\xed\xfe", 4, false, "a Mach-O program"},
};

static bool is_windows(const uint8_t *data, size_t size)
{
    enum { PE_AT = 0x3c };
    if (size < PE_AT + 4 || data[0] != 'M' || data[1] != 'Z')
        return false;
    uint32_t at = ld32(data + PE_AT);
    return in_range(at, 4, size) && memcmp(data + at, "PE\0", 4) == 0;
}

static enum diag_code refuse(const char *name, const char *what, const char *help, struct diag *d)
{
    diag_set(d, DIAG_MALFORMED, name, "is %s, not a firmware image", what);
    diag_help(d, "%s", help);
    return DIAG_MALFORMED;
}

enum diag_code image_refuse_foreign(const uint8_t *data, size_t size, const char *name,
                                    struct diag *d)
{
    const char *takes = "images are ELF files, raw memory, UF2, DfuSe, Intel HEX and those of the "
                        "ESP32 family";
    for (unsigned i = 0; i < sizeof image_foreign / sizeof image_foreign[0]; i++)
        if (size >= image_foreign[i].size &&
            memcmp(data, image_foreign[i].magic, image_foreign[i].size) == 0)
            return refuse(
                name, image_foreign[i].what,
                image_foreign[i].packed ? "unpack it, and give the image that is in it" : takes, d);
    return is_windows(data, size) ? refuse(name, "a Windows program", takes, d) : DIAG_OK;
}
