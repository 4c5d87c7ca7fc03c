#include "packer/cli/production.h"

#include <string.h>

#include "format/mpy/opcode.h"
#include "format/mpy/prelude.h"

enum {
    CHECK_CODE_MAX = 1 << 20, // bytes of one module body that are looked at
    CHECK_DEPTH = 32,         // nested functions
    CHECK_NEAR = 8,           // instructions that make up one statement about sys.path
};

// How far an exception handler reaches.
enum guard { GUARD_NONE, GUARD_EXCEPTION, GUARD_ALL };

// One instruction of a module body with what was found out about it.
struct step {
    struct mpy_insn insn;
    uint32_t line;              // 0 = unknown
    bool normal;                // reached without an exception
    bool stops;                 // a call that never returns: reset()
    enum guard guard;           // the best handler around it
    enum guard except, finally; // what a handler catches that goes on from here
};

struct body { // the body of boot.py or main.py
    struct cli *cli;
    const struct firmware *fw;
    const struct splice_module *modules;
    unsigned n_modules;
    struct production *out;
    const char *name;
    const struct mpy_module *mpy;
    struct mpy_prelude prelude;
    const uint8_t *data;
    struct step *steps;
    uint32_t *index; // code offset to step + 1
    unsigned n;
    uint32_t size; // bytes of code
};

static bool qstr_is(const struct mpy_module *m, int64_t i, const char *text)
{
    return i >= 0 && (uint64_t)i < m->n_qstr && m->qstrs[i].len == strlen(text) &&
           memcmp(m->qstrs[i].data, text, m->qstrs[i].len) == 0;
}

static bool qstr_in(const struct mpy_module *m, int64_t i, const char *const *names)
{
    for (; *names; names++) {
        if (qstr_is(m, i, *names)) {
            return true;
        }
    }
    return false;
}

static enum diag_code finding(struct body *b, struct production_finding f)
{
    struct production *p = b->out;
    p->findings = arena_room(&b->cli->arena, p->findings, p->n, sizeof f);
    if (!p->findings) {
        return diag_nomem(&b->cli->diag);
    }
    f.module = f.module ? f.module : b->name;
    p->findings[p->n++] = f;
    return DIAG_OK;
}

// Decoding

static bool body_decode(struct body *b, const struct mpy_code *code)
{
    if (code->kind != MPY_CODE_BYTECODE || code->size > CHECK_CODE_MAX ||
        mpy_prelude_of(code, &b->prelude)) {
        return false;
    }
    b->data = code->data;
    b->size = code->size;
    b->steps = ARENA_ARRAY(&b->cli->arena, struct step, code->size);
    b->index = ARENA_ARRAY(&b->cli->arena, uint32_t, code->size + 1);
    struct mpy_line_cursor cursor = {0};
    for (size_t at = b->prelude.code; b->steps && b->index && at < code->size;) {
        struct step *s = &b->steps[b->n];
        if (!mpy_insn_decode(code->data, code->size, at, code->v5, &s->insn)) {
            return false;
        }
        s->line = mpy_line_at(code->data, &b->prelude, &cursor, s->insn.at - b->prelude.code);
        b->index[at] = ++b->n;
        at += s->insn.size;
    }
    return b->steps && b->index;
}

static unsigned body_target(const struct body *b, const struct step *s)
{
    int64_t t = s->insn.target;
    return t >= 0 && t < (int64_t)b->size ? b->index[t] : 0;
}

// Calls

static bool is_call(enum mpy_op op)
{
    return op == MPY_OP_CALL_FUNCTION || op == MPY_OP_CALL_METHOD ||
           op == MPY_OP_CALL_FUNCTION_VAR_KW || op == MPY_OP_CALL_METHOD_VAR_KW;
}

// The instruction that loaded what the call at i calls, or NULL: the last load before it, with
// nothing but constants in between.
static const struct step *call_of(const struct body *b, unsigned i)
{
    while (i-- > 0) {
        const struct step *s = &b->steps[i];
        enum mpy_op op = s->insn.op;
        if (op == MPY_OP_LOAD_METHOD || op == MPY_OP_LOAD_NAME || op == MPY_OP_LOAD_GLOBAL) {
            return s;
        }
        if (op != MPY_OP_LOAD_CONST_SMALL_INT && op != MPY_OP_LOAD_CONST_SMALL_INT_MULTI &&
            op != MPY_OP_LOAD_CONST_STRING && op != MPY_OP_LOAD_CONST_OBJ &&
            op != MPY_OP_LOAD_CONST_NONE && op != MPY_OP_LOAD_CONST_TRUE &&
            op != MPY_OP_LOAD_CONST_FALSE) {
            return NULL;
        }
    }
    return NULL;
}

static bool calls_one_of(const struct body *b, unsigned i, const char *const *names)
{
    const struct step *s = is_call(b->steps[i].insn.op) ? call_of(b, i) : NULL;
    return s && qstr_in(b->mpy, s->insn.arg, names);
}

static const char *const stopping[] = {"reset", "hard_reset", "soft_reset", "deepsleep", NULL};

// Handlers

static bool is_name_of(const struct body *b, const struct mpy_insn *s, const char *const *names)
{
    return (s->op == MPY_OP_LOAD_NAME || s->op == MPY_OP_LOAD_GLOBAL) &&
           qstr_in(b->mpy, s->arg, names);
}

// What handlers catch, for each step that one may go on from, last to first. `except E:` by the
// names before the first comparison: the first class decides, further ones are rare in a main
// loop. `finally:` everything if it resets the board.
static void body_handlers(struct body *b)
{
    static const char *const all[] = {"BaseException", NULL};
    static const char *const most[] = {"Exception", NULL};
    struct step after = {0};
    for (unsigned i = b->n; i-- > 0; after = b->steps[i]) {
        struct step *s = &b->steps[i];
        enum mpy_op op = s->insn.op;
        bool ends = op == MPY_OP_END_FINALLY || op == MPY_OP_RETURN_VALUE;
        s->finally = s->stops ? GUARD_ALL : ends ? GUARD_NONE : after.finally;
        s->except = ends || op == MPY_OP_BINARY_OP_MULTI ? GUARD_NONE
                    : is_name_of(b, &s->insn, all)       ? GUARD_ALL
                    : is_name_of(b, &s->insn, most)      ? GUARD_EXCEPTION
                                                         : after.except;
    }
}

// What the handler that begins at step h catches; a bare `except:` compares no class.
static enum guard handler_guard(const struct body *b, unsigned h, bool finally)
{
    const struct step *s = &b->steps[h];
    return finally ? s->finally : s->insn.op != MPY_OP_DUP_TOP ? GUARD_ALL : s->except;
}

// Handlers reach from their setup to where they begin, one within another.
static enum diag_code body_guards(struct body *b)
{
    int *begin[GUARD_ALL + 1], depth[GUARD_ALL + 1] = {0};
    for (unsigned g = 0; g <= GUARD_ALL; g++) {
        begin[g] = ARENA_ARRAY(&b->cli->arena, int, b->n + 1); // ends count -1
        if (!begin[g]) {
            return diag_nomem(&b->cli->diag);
        }
    }
    body_handlers(b);
    for (unsigned i = 0; i < b->n; i++) {
        enum mpy_op op = b->steps[i].insn.op;
        unsigned h = body_target(b, &b->steps[i]);
        if ((op == MPY_OP_SETUP_EXCEPT || op == MPY_OP_SETUP_FINALLY) && h > i + 1) {
            enum guard g = handler_guard(b, h - 1, op == MPY_OP_SETUP_FINALLY);
            begin[g][i]++;
            begin[g][h - 1]--;
        }
    }
    for (unsigned i = 0; i < b->n; i++) {
        for (unsigned g = 0; g <= GUARD_ALL; g++) {
            depth[g] += begin[g][i];
            b->steps[i].guard = depth[g] > 0 ? (enum guard)g : b->steps[i].guard;
        }
    }
    return DIAG_OK;
}

static void flow_to(struct body *b, unsigned *work, unsigned *n, unsigned step)
{
    if (step < b->n && !b->steps[step].normal) {
        b->steps[step].normal = true;
        work[(*n)++] = step;
    }
}

// Marks what runs when nothing raises.
static enum diag_code body_flow(struct body *b)
{
    unsigned *work = ARENA_ARRAY(&b->cli->arena, unsigned, b->n + 1), n = 0;
    if (!work) {
        return diag_nomem(&b->cli->diag);
    }
    flow_to(b, work, &n, 0);
    while (n) {
        unsigned i = work[--n];
        const struct step *s = &b->steps[i];
        enum mpy_op op = s->insn.op;
        bool setup =
            op == MPY_OP_SETUP_EXCEPT || op == MPY_OP_SETUP_FINALLY || op == MPY_OP_SETUP_WITH;
        unsigned target = setup || !s->insn.info->jumped ? 0 : body_target(b, s);
        if (target && !s->stops) {
            flow_to(b, work, &n, target - 1);
        }
        if (s->insn.info->after && !s->stops) {
            flow_to(b, work, &n, i + 1);
        }
    }
    return DIAG_OK;
}

// Imports

// Built-in modules that a file of the same name replaces: MP_REGISTER_EXTENSIBLE_MODULE.
static const char *const extensible[] = {
    "array",  "binascii", "bluetooth", "collections", "cryptolib", "errno",     "hashlib", "heapq",
    "io",     "json",     "machine",   "os",          "platform",  "random",    "re",      "select",
    "socket", "ssl",      "string",    "struct",      "time",      "websocket", NULL};

static bool names_module(const char *file, const char *module, size_t n)
{
    return strncmp(file, module, n) == 0 &&
           (strcmp(file + n, ".py") == 0 || strcmp(file + n, ".mpy") == 0 || file[n] == '/');
}

static bool is_frozen(const struct body *b, const char *module, size_t n)
{
    for (unsigned i = 0; i < b->n_modules; i++) {
        if (names_module(b->modules[i].in.name, module, n)) {
            return true;
        }
    }
    for (unsigned i = 0; i < b->fw->n_modules; i++) {
        if (names_module(b->fw->modules[i].name, module, n)) {
            return true;
        }
    }
    return false;
}

// Why an import can end up in a file of the device, or NULL: built-ins that are not extensible are
// found before any file.
static const char *import_danger(const struct body *b, const char *module, size_t n)
{
    if (is_frozen(b, module, n)) {
        return "is frozen, but a file of that name in the current folder comes first";
    }
    for (const char *const *e = extensible; *e; e++) {
        if (strlen(*e) == n && strncmp(*e, module, n) == 0) {
            return "is an extensible built-in: a file of that name comes first";
        }
    }
    return firmware_qstr(b->fw, module, n) ? NULL : "is not in the product, only a file can be it";
}

static bool loads(const struct body *b, unsigned i, enum mpy_op op, const char *name)
{
    return i < b->n && b->steps[i].insn.op == op && qstr_is(b->mpy, b->steps[i].insn.arg, name);
}

// True if the step is part of a change of sys.path: sys.path = ..., sys.path[...] = ..., del
// sys.path[...], or one of the list's methods.
static bool changes_path(const struct body *b, unsigned i)
{
    static const char *const methods[] = {"pop", "remove", "clear", "insert", "reverse", NULL};
    if (loads(b, i, MPY_OP_STORE_ATTR, "path")) {
        return i > 0 && (loads(b, i - 1, MPY_OP_LOAD_NAME, "sys") ||
                         loads(b, i - 1, MPY_OP_LOAD_GLOBAL, "sys"));
    }
    if (!loads(b, i, MPY_OP_LOAD_ATTR, "path") && !loads(b, i, MPY_OP_LOAD_NAME, "path")) {
        return false;
    }
    for (unsigned k = i + 1; k < b->n && k < i + CHECK_NEAR; k++) {
        const struct mpy_insn *s = &b->steps[k].insn;
        if (s->op == MPY_OP_STORE_SUBSCR ||
            (s->op == MPY_OP_LOAD_METHOD && qstr_in(b->mpy, s->arg, methods))) {
            return true;
        }
        if (s->op == MPY_OP_POP_TOP || s->op == MPY_OP_STORE_NAME) {
            return false;
        }
    }
    return false;
}

static enum diag_code check_import(struct body *b, int64_t qstr, unsigned line)
{
    if (qstr < 0 || (uint64_t)qstr >= b->mpy->n_qstr) {
        return DIAG_OK;
    }
    const struct mpy_qstr *q = &b->mpy->qstrs[qstr];
    const char *dot = memchr(q->data, '.', q->len);
    size_t n = dot ? (size_t)(dot - q->data) : q->len;
    const char *why = n ? import_danger(b, q->data, n) : NULL;
    if (!why) {
        return DIAG_OK;
    }
    return finding(b, (struct production_finding){
                          .id = "shadowed-import",
                          .line = line,
                          .text = arena_printf(&b->cli->arena, "import %.*s: the module %s",
                                               (int)q->len, q->data, why),
                          .fix = "begin with: import sys; sys.path[:] = ['.frozen']"});
}

// The imports of functions run later than the body, so that a change of sys.path in it covers them.
static enum diag_code check_functions(struct body *b, const struct mpy_code *code, unsigned depth)
{
    enum diag_code err = DIAG_OK;
    for (uint32_t i = 0; i < code->n_children && depth < CHECK_DEPTH && !err; i++) {
        const struct mpy_code *child = code->children[i];
        struct mpy_prelude p;
        struct mpy_insn insn;
        struct mpy_line_cursor cursor = {0};
        if (child->kind == MPY_CODE_BYTECODE && !mpy_prelude_of(child, &p)) {
            for (size_t at = p.code;
                 !err && mpy_insn_decode(child->data, child->size, at, child->v5, &insn);
                 at += insn.size) {
                if (insn.op == MPY_OP_IMPORT_NAME) {
                    err = check_import(b, insn.arg,
                                       mpy_line_at(child->data, &p, &cursor, insn.at - p.code));
                }
            }
        }
        err = err ? err : check_functions(b, child, depth + 1);
    }
    return err;
}

static enum diag_code check_imports(struct body *b, bool *locked)
{
    enum diag_code err = DIAG_OK;
    for (unsigned i = 0; i < b->n && !err && !*locked; i++) {
        *locked = changes_path(b, i);
        if (!*locked && b->steps[i].insn.op == MPY_OP_IMPORT_NAME) {
            err = check_import(b, b->steps[i].insn.arg, b->steps[i].line);
        }
    }
    return err || *locked ? err : check_functions(b, b->mpy->root, 0);
}

// The end of main.py

// True if the body turns Ctrl-C off: micropython.kbd_intr(-1).
static bool body_locks_console(const struct body *b)
{
    static const char *const names[] = {"kbd_intr", NULL};
    for (unsigned i = 1; i < b->n; i++) {
        if (calls_one_of(b, i, names) && b->steps[i - 1].insn.arg == -1) {
            return true;
        }
    }
    return false;
}

static enum diag_code check_end(struct body *b)
{
    for (unsigned i = 0; i < b->n; i++) {
        if (b->steps[i].normal && b->steps[i].insn.op == MPY_OP_RETURN_VALUE) {
            return finding(b, (struct production_finding){
                                  .id = "ends",
                                  .line = b->steps[i].line,
                                  .text = "it can run to its end: then the console is open",
                                  .fix = "end it with a loop, or with machine.reset()"});
        }
    }
    return DIAG_OK;
}

// The first call that nothing of this strength guards, or -1.
static int unguarded(const struct body *b, enum guard strength)
{
    static const char *const harmless[] = {
        "kbd_intr", "pop",   "remove",     "clear",      "insert",    "append", "extend",
        "print",    "reset", "hard_reset", "soft_reset", "deepsleep", "const",  NULL};
    for (unsigned i = 0; i < b->n; i++) {
        const struct step *s = &b->steps[i];
        if (s->normal && is_call(s->insn.op) && s->guard < strength &&
            !calls_one_of(b, i, harmless)) {
            return (int)i;
        }
    }
    return -1;
}

static enum diag_code check_exceptions(struct body *b, bool console_locked)
{
    int call = unguarded(b, GUARD_EXCEPTION);
    enum diag_code err = DIAG_OK;
    if (call >= 0) {
        err = finding(b, (struct production_finding){
                             .id = "exception",
                             .line = b->steps[call].line,
                             .text = "an exception in what is called here ends it: then the "
                                     "console is open",
                             .fix = "put it in try: ... finally: machine.reset()"});
    }
    call = unguarded(b, GUARD_ALL);
    if (!err && !console_locked && (call >= 0 || b->n)) {
        bool guarded = call < 0;
        err = guarded
                  ? DIAG_OK
                  : finding(b, (struct production_finding){.id = "interrupt",
                                                           .line = b->steps[call].line,
                                                           .text = "Ctrl-C on the console ends it",
                                                           .fix = "begin with: import micropython; "
                                                                  "micropython.kbd_intr(-1)"});
    }
    return err;
}

// One file

static const struct mpy_module *find_input(const struct body *b, const char *name, bool *text)
{
    *text = false;
    for (unsigned i = 0; i < b->n_modules; i++) {
        const struct freeze_input *in = &b->modules[i].in;
        if (strcmp(in->name, name) == 0) {
            *text = in->kind == FW_MODULE_STR;
            return *text ? NULL : in->mpy;
        }
    }
    return NULL;
}

static const struct mpy_module *find_stock(struct body *b, const char *name)
{
    for (unsigned i = 0; i < b->fw->n_modules; i++) {
        const struct fw_module *m = &b->fw->modules[i];
        struct mpy_module *mpy = NULL;
        struct diag ignored;
        diag_init(&ignored);
        if (m->kind == FW_MODULE_MPY && strcmp(m->name, name) == 0 &&
            firmware_unfreeze(b->fw, m, &b->cli->arena, &ignored, &mpy) == DIAG_OK) {
            return mpy;
        }
    }
    return NULL;
}

// Prepares the body of a frozen file; *opened is false if there is none or it cannot be looked
// into.
static enum diag_code body_open(struct body *b, const char *name, bool *opened)
{
    bool text;
    b->name = name;
    b->mpy = find_input(b, name, &text);
    b->mpy = b->mpy || text ? b->mpy : find_stock(b, name);
    *opened = b->mpy && body_decode(b, b->mpy->root);
    if (!*opened) {
        return DIAG_OK;
    }
    for (unsigned i = 0; i < b->n; i++) {
        b->steps[i].stops = calls_one_of(b, i, stopping);
    }
    enum diag_code err = body_guards(b);
    return err ? err : body_flow(b);
}

enum diag_code production_check(struct cli *cli, const struct firmware *fw,
                                const struct splice_module *modules, unsigned n,
                                struct production *out)
{
    const struct body empty = {
        .cli = cli, .fw = fw, .modules = modules, .n_modules = n, .out = out};
    struct body boot = empty, app = empty;
    bool path_locked = false, console_locked = false, opened;
    enum diag_code err = DIAG_OK;
    *out = (struct production){0};
    if (is_frozen(&boot, "boot", 4)) {
        err = body_open(&boot, "boot.py", &opened);
        if (!err && opened) {
            err = check_imports(&boot, &path_locked);
            console_locked = body_locks_console(&boot);
        }
    } else {
        err = finding(&boot, (struct production_finding){
                                 .id = "no-boot",
                                 .module = "boot.py",
                                 .text = "no boot.py is frozen: a file boot.py on the device runs",
                                 .fix = "freeze one, it may be empty: --boot FILE",
                                 .advice = true});
    }
    if (err || !is_frozen(&app, "main", 4)) {
        return err ? err
                   : finding(&app, (struct production_finding){
                                       .id = "no-main",
                                       .module = "main.py",
                                       .text = "no main.py is frozen: a file main.py on the "
                                               "device runs, or the console opens",
                                       .fix = "freeze one: --main FILE"});
    }
    err = body_open(&app, "main.py", &opened);
    if (err || !opened) {
        return err;
    }
    console_locked = console_locked || body_locks_console(&app);
    err = path_locked ? DIAG_OK : check_imports(&app, &path_locked);
    err = err ? err : check_end(&app);
    return err ? err : check_exceptions(&app, console_locked);
}

enum diag_code production_report(struct cli *cli, const struct production *p, bool strict,
                                 bool quiet)
{
    unsigned held = 0;
    for (unsigned i = 0; i < p->n; i++) {
        const struct production_finding *f = &p->findings[i];
        char line[16] = "";
        if (f->line) {
            snprintf(line, sizeof line, ":%u", f->line);
        }
        held += !f->advice;
        if (quiet) {
            continue;
        }
        fprintf(stderr, "%s: %s%s: %s: %s\n  %s\n", cli->program, f->module, line,
                f->advice ? "note" : "warning", f->text, f->fix);
    }
    if (!strict || !held) {
        return DIAG_OK;
    }
    diag_set(&cli->diag, DIAG_NO, NULL, "the product can be taken over in %u way%s (--strict)",
             held, held == 1 ? "" : "s");
    diag_help(&cli->diag, "nothing was written; see the warnings above");
    return DIAG_NO;
}

void production_json(const struct production *p, struct json *j)
{
    json_array(j, "warnings");
    for (unsigned i = 0; i < p->n; i++) {
        const struct production_finding *f = &p->findings[i];
        json_object(j, NULL);
        json_str(j, "id", f->id);
        json_str(j, "module", f->module);
        json_uint(j, "line", f->line);
        json_str(j, "text", f->text);
        json_str(j, "fix", f->fix);
        json_bool(j, "advice", f->advice);
        json_object_end(j);
    }
    json_array_end(j);
}
