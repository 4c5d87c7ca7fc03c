// The release, the build and the board: from the sys.implementation tuple where there is one, and
// from the texts that the build left.
//
// Facts: py/modsys.c (mp_sys_implementation_obj and its fields), py/mpconfig.h (banner).
#include "format/firmware/scan.h"

enum {
    RELEASE_TEXT_MAX = 200,
    RELEASE_FIELDS_MAX = 8,
};

// --- sys.implementation

static bool small_int_at(const struct scan *s, uint64_t addr, int64_t low, int64_t high,
                         unsigned *out)
{
    uint64_t obj;
    int64_t value;
    if (!obj_read(s, addr, &obj) || !obj_is_small_int(s, obj, &value) || value < low ||
        value > high)
        return false;
    *out = (unsigned)value;
    return true;
}

// The first item of a tuple object; objects of 8 bytes in a 32-bit image are 8-aligned.
static uint64_t tuple_items(const struct scan *s, uint64_t tuple)
{
    return tuple + 2 * s->view.ptr;
}

// A version_info tuple {1, minor, micro[, "" or "preview"]}.
static bool is_version_info(const struct scan *s, uint64_t tuple, unsigned version[3])
{
    uint64_t len, items = tuple_items(s, tuple);
    return view_word(&s->view, tuple + s->view.ptr, &len) && (len == 3 || len == 4) &&
           small_int_at(s, items, 1, 9, &version[0]) &&
           small_int_at(s, items + s->obj, 0, 99, &version[1]) &&
           small_int_at(s, items + 2 * s->obj, 0, 99, &version[2]);
}

static bool is_micropython(const struct scan *s, uint64_t obj)
{
    uint32_t len;
    const char *text = obj_str(s, obj, &len);
    return text && len == 11 && memcmp(text, "micropython", 11) == 0;
}

// The implementation tuple whose second item is the version: its first item is "micropython".
static uint64_t find_user_tuple(const struct scan *s, uint64_t version, uint64_t *n)
{
    uint32_t i = 0;
    uint64_t at, obj;
    while (view_users(&s->view, version, &i, &at)) {
        uint64_t tuple = at - s->obj - 2 * s->view.ptr;
        if (obj_read(s, at - s->obj, &obj) && is_micropython(s, obj) &&
            view_word(&s->view, tuple + s->view.ptr, n) && *n >= 2 && *n <= RELEASE_FIELDS_MAX)
            return tuple;
    }
    return 0;
}

static const char *copy_text(struct scan *s, const char *text, uint32_t len)
{
    const char *copy = arena_strndup(s->arena, text, len);
    return copy ? copy : "";
}

// Fields behind the version: _machine is the first text, _mpy the first small int above 5 (its low
// byte is the .mpy version), _build a str object, _thread (from 1.26 on) a qstr. A firmware without
// attribute tuples does not name them.
static void read_fields(struct scan *s, uint64_t tuple, uint64_t n)
{
    struct firmware *fw = s->fw;
    for (uint64_t i = 2; i < n; i++) {
        uint64_t obj;
        int64_t value;
        uint32_t len, id;
        if (!obj_read(s, tuple_items(s, tuple) + i * s->obj, &obj))
            return;
        const char *text = obj_str(s, obj, &len);
        if (text && i == 2)
            fw->board = copy_text(s, text, len);
        else if (obj_is_small_int(s, obj, &value) && fw->mpy_abi < 0 && value > 0 &&
                 value < 1 << 30 && (value & 0xff) >= 5)
            fw->mpy_abi = (int)value;
        else if (text && len && obj_is_qstr(s, obj, &id))
            scan_note(s, "threads", tuple, "sys.implementation", "%.*s", (int)len, text);
        else if (text && len && i >= 3) {
            fw->build_name = copy_text(s, text, len);
            scan_note(s, "build name", tuple, "sys.implementation", "%s", fw->build_name);
        }
    }
}

static bool read_implementation(struct scan *s)
{
    uint32_t i = 0;
    uint64_t tuple, n;
    unsigned version[3];
    while (view_users(&s->view, s->fw->objects[FW_TYPE_TUPLE], &i, &tuple)) {
        if (!is_version_info(s, tuple, version))
            continue;
        uint64_t user = find_user_tuple(s, tuple, &n);
        if (!user)
            continue;
        s->fw->major = version[0];
        s->fw->minor = version[1];
        s->fw->patch = version[2];
        read_fields(s, user, n);
        scan_note(s, "release", user, "the sys.implementation tuple", "%u.%u.%u", version[0],
                  version[1], version[2]);
        return true;
    }
    return false;
}

// --- texts

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_date(const char *p, const char *end) // "2025-04-26"
{
    for (unsigned i = 0; i < 10; i++)
        if (p + i >= end || (i == 4 || i == 7 ? p[i] != '-' : !is_digit((uint8_t)p[i])))
            return false;
    return true;
}

// "... TAG on DATE; MACHINE": the tag and the rest. False when the text does not have that form.
struct banner {
    const char *tag, *build;
    uint32_t tag_len, build_len;
    bool named; // "MicroPython" stands before the tag: it is not a vendor's own version
};

// Where "MicroPython" stands before the tag, with a blank or, in a vendor's banner, without: false
// if it does not. The tag is what follows.
static bool is_named(const char *text, const char **tag, const char *end)
{
    static const char maker[] = "MicroPython ";
    enum { BLANK = sizeof maker - 1, WORD = BLANK - 1 };
    if (end - *tag > WORD && memcmp(*tag, maker, WORD) == 0) {
        *tag += WORD;
        return true;
    }
    return *tag - text >= BLANK && memcmp(*tag - BLANK, maker, BLANK) == 0;
}

static bool parse_banner(const char *text, uint32_t len, struct banner *b)
{
    const char *end = text + len;
    bool found = false;
    for (const char *p = text; p + 4 < end; p++) {
        if (memcmp(p, " on ", 4) != 0 || !is_date(p + 4, end))
            continue;
        const char *tag = p;
        while (tag > text && tag[-1] != ' ')
            tag--;
        bool named = is_named(text, &tag, p);
        if (tag == p || (found && !named))
            continue;
        found = true;
        *b = (struct banner){tag, p + 1, (uint32_t)(p - tag), (uint32_t)(end - p - 1), named};
    }
    return found;
}

// The start of the text that holds addr.
static uint64_t text_start(const struct view *v, uint64_t addr)
{
    const uint8_t *p;
    for (unsigned i = 0; i < RELEASE_TEXT_MAX && (p = view_at(v, addr - 1, 1)) && *p >= ' '; i++)
        addr--;
    return addr;
}

static uint32_t line_length(const char *text, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ')
            return i;
    return len;
}

static bool is_better(const struct banner *a, const struct banner *b)
{
    return a->named != b->named ? a->named : a->build_len > b->build_len;
}

// The longest banner; every build with a REPL or sys.version has one.
static bool find_banner(struct scan *s, struct banner *best)
{
    static const char mark[] = " on 20";
    bool found = false;
    for (uint64_t at = 0; view_find(&s->view, mark, sizeof mark - 1, &at); at++) {
        uint32_t len;
        uint64_t start = text_start(&s->view, at);
        const char *text = view_text(&s->view, start, RELEASE_TEXT_MAX, &len);
        struct banner b;
        if (!text || !parse_banner(text, line_length(text, len), &b) ||
            (found && !is_better(&b, best)))
            continue;
        *best = b;
        s->version_at = start;
        found = true;
    }
    return found;
}

static const char *skip_number(const char *p, const char *end, unsigned *out)
{
    unsigned n = 0;
    const char *start = p;
    for (; p < end && is_digit((uint8_t)*p) && p - start < 4; p++)
        n = n * 10 + (unsigned)(*p - '0');
    *out = n;
    return p;
}

// "v1.25.0+ds-1" gives 1.25.0; false when the tag is no version.
static bool parse_version(const char *tag, uint32_t len, unsigned version[3])
{
    const char *p = tag, *end = tag + len;
    if (p < end && *p == 'v')
        p++;
    if (p >= end || !is_digit((uint8_t)*p))
        return false;
    version[2] = 0;
    p = skip_number(p, end, &version[0]);
    if (p >= end || *p != '.' || p + 1 >= end || !is_digit((uint8_t)p[1]))
        return false;
    p = skip_number(p + 1, end, &version[1]);
    if (p + 1 < end && *p == '.' && is_digit((uint8_t)p[1]))
        skip_number(p + 1, end, &version[2]);
    return version[0] == 1;
}

static void take_banner(struct scan *s, const struct banner *b)
{
    struct firmware *fw = s->fw;
    unsigned version[3];
    bool is_version = parse_version(b->tag, b->tag_len, version);
    fw->build = copy_text(s, b->build, b->build_len);
    if (is_version && !fw->major) {
        fw->major = version[0];
        fw->minor = version[1];
        fw->patch = version[2];
        scan_note(s, "release", s->version_at, "the banner text", "%.*s", (int)b->tag_len, b->tag);
    }
    if (is_version && version[0] == fw->major && version[1] == fw->minor)
        fw->version = copy_text(s, b->tag + (*b->tag == 'v'), b->tag_len - (*b->tag == 'v'));
    else
        scan_note(s, "vendor version", s->version_at, "the banner text", "%.*s", (int)b->tag_len,
                  b->tag);
}

// Up to 1.18 only the banner names the board: "on DATE; BOARD".
static void board_by_banner(struct scan *s)
{
    const char *p = s->fw->board[0] ? NULL : strstr(s->fw->build, "; ");
    if (p)
        s->fw->board = p + 2;
}

static void name_release(struct scan *s)
{
    struct firmware *fw = s->fw;
    if (fw->version[0] || !fw->major)
        return;
    const char *text = arena_printf(s->arena, "%u.%u.%u", fw->major, fw->minor, fw->patch);
    fw->version = text ? text : "";
}

// --- the layout

enum { FORK_TEXT_MAX = 60 };

// The maker and the version that text begins with, "CircuitPython 8.2.2"; 0 when a version with a
// dot in it is not the second word. named: the version has a name in front, "ESP32_LoBo_v3.2.24".
static uint32_t fork_length(const char *text, uint32_t len, uint32_t maker, bool named)
{
    bool dotted = false;
    uint32_t n = maker;
    for (; n < len && (unsigned char)text[n] > ' '; n++)
        dotted |= n > maker && n + 1 < len && text[n] == '.' && is_digit((uint8_t)text[n - 1]) &&
                  is_digit((uint8_t)text[n + 1]);
    bool digit = is_digit((uint8_t)text[maker]) ||
                 (text[maker] == 'v' && n > maker + 1 && is_digit((uint8_t)text[maker + 1]));
    return dotted && digit != named && n <= FORK_TEXT_MAX ? n : 0;
}

static const char *find_maker(struct scan *s, const char *maker, bool named)
{
    uint32_t len, size = (uint32_t)strlen(maker);
    for (uint64_t at = 0; view_find(&s->view, maker, size, &at); at++) {
        const char *text = view_text(&s->view, at, RELEASE_TEXT_MAX, &len);
        uint32_t n = text ? fork_length(text, len, size, named) : 0;
        if (n)
            return copy_text(s, text, n);
    }
    return NULL;
}

// CircuitPython grew out of MicroPython; its objects and tables are laid out in its own way.
static const char *find_fork(struct scan *s)
{
    return find_maker(s, "CircuitPython ", false);
}

static enum diag_code refuse(struct scan *s)
{
    struct firmware *fw = s->fw;
    fw->fork = find_fork(s);
    if (fw->fork)
        return diag_set(s->diag, DIAG_NO, s->view.image->name,
                        "this is %s, a fork of MicroPython that is not supported", fw->fork);
    if (!fw->major)
        return diag_set(s->diag, DIAG_NO, s->view.image->name,
                        "MicroPython is here, but its release is not: no sys.implementation and "
                        "no version text");
    if (fw_profile_find(fw->major, fw->minor)) {
        diag_set(s->diag, DIAG_NO, s->view.image->name,
                 "the text of MicroPython %s is here, but not its %s: the image is not complete, "
                 "not at the addresses it runs at, or of a fork with version numbers of its own",
                 fw->version, fw->n_pools ? "builtins table" : "string pools");
        if (fw->n_pools && s->view.ptr == 8)
            diag_help(s->diag, "object representation D is read on 32-bit machines only; "
                               "64-bit builds with it do not start");
        return DIAG_NO;
    }
    diag_set(s->diag, DIAG_NO, s->view.image->name, "MicroPython %s is not supported", fw->version);
    diag_help(s->diag, "releases 1.18 to 1.29 are");
    return DIAG_NO;
}

static void take_abi(struct firmware *fw)
{
    if (fw->mpy_abi >= 0) {
        unsigned arch = (unsigned)fw->mpy_abi >> 10 & 15;
        fw->mpy_arch = arch <= MPY_ARCH_RV64IMC ? (enum mpy_arch)arch : MPY_ARCH_NONE;
        if (fw->mpy_arch != MPY_ARCH_NONE && fw->native == FW_NO)
            fw->native = FW_UNKNOWN; // it is there, but mp_fun_table was not found
    }
}

static void release_texts(struct scan *s)
{
    struct banner b = {NULL, NULL, 0, 0, false};
    if (find_banner(s, &b))
        take_banner(s, &b);
    board_by_banner(s);
}

enum diag_code release_scan(struct scan *s)
{
    struct firmware *fw = s->fw;
    read_implementation(s);
    release_texts(s);
    name_release(s);
    take_abi(fw);
    fw->profile = fw->major ? fw_profile_find(fw->major, fw->minor) : NULL;
    if (fw->profile)
        return DIAG_OK;
    return fw->major || find_fork(s) ? refuse(s) : DIAG_OK;
}

// For images in which no pool or no builtins table of a known form was found. A fork may call
// itself MicroPython and count its versions in its own way.
bool release_refuse_named(struct scan *s)
{
    release_texts(s);
    name_release(s);
    if (s->fw->major || find_fork(s))
        return refuse(s);
    s->fw->fork = find_maker(s, "MicroPython ", true);
    return s->fw->fork &&
           diag_set(s->diag, DIAG_NO, s->view.image->name,
                    "the text \"%s\" is here, but the string pools and the builtins table are none "
                    "that a release from 1.18 on has: an older one, or a fork",
                    s->fw->fork);
}
