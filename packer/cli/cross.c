// Facts: MicroPython mpy-cross/main.c, releases 1.19 to 1.29, and measurements.
#include "packer/cli/cross.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/temporary.h"
#include "packer/cli/arch_flags.h"
#include "packer/compiler/release.h"

enum { CROSS_PATH_MAX = 4096, CROSS_COMPARE = 8192, CROSS_MODE = 0644 };

struct cross_arch {
    const char *name;
    unsigned since; // minor release
};

static const struct cross_arch cross_arches[] = {
    {"x86", 19},     {"x64", 19},       {"armv6", 19},     {"armv6m", 19},  {"armv7m", 19},
    {"armv7em", 19}, {"armv7emsp", 19}, {"armv7emdp", 19}, {"xtensa", 19},  {"xtensawin", 19},
    {"host", 20},    {"rv32imc", 24},   {"debug", 24},     {"rv64imc", 27},
};

static enum cross_parsed cross_wrong(struct cli *cli, const char *text, const char *arg)
{
    cli_usage_error(cli, text, arg);
    return CROSS_USAGE;
}

static enum cross_parsed cross_implementation(struct cli *cli, struct cross *x, const char *value)
{
    bool lines = x->release->source_lines_option;
    if (!value) {
        return cross_wrong(cli, "%s needs a value", "-X");
    }
    if (strcmp(value, "emit=bytecode") == 0) {
        x->machine_code = false;
    } else if (strcmp(value, "emit=native") == 0 || strcmp(value, "emit=viper") == 0) {
        x->machine_code = true;
    } else if (lines && strcmp(value, "source-lines") == 0) {
        x->options.no_source_lines = false;
    } else if (lines && strcmp(value, "no-source-lines") == 0) {
        x->options.no_source_lines = true;
    } else if (strncmp(value, "heapsize=", 9) != 0) { // memory is not limited here
        return cross_wrong(cli, "unknown option -X %s", value);
    }
    return CROSS_RUN;
}

// mpy-cross reads all -X first, wherever they stand.
static enum cross_parsed cross_implementations(struct cli *cli, struct cross *x, int argc,
                                               char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-X") == 0) {
            enum cross_parsed p = cross_implementation(cli, x, i + 1 < argc ? argv[i + 1] : NULL);
            if (p != CROSS_RUN) {
                return p;
            }
            i++;
        }
    }
    return CROSS_RUN;
}

static void cross_optimise(struct cross *x, const char *arg)
{
    if (arg[2] >= '0' && arg[2] <= '9') {
        x->options.opt_level = (unsigned)(arg[2] - '0');
        return;
    }
    x->options.opt_level = 0;
    for (const char *p = arg + 1; *p == 'O'; p++) {
        x->options.opt_level++;
    }
}

// Upstream keeps the low eight bits; 0 of them means no limit.
static bool cross_small_int_bits(struct cross *x, const char *value)
{
    char *end;
    long v = strtol(value, &end, 0);
    x->options.small_int_bits = v & 0xff ? (unsigned)(v & 0xff) : 256;
    return !*end;
}

static bool cross_set_arch(struct cross *x, const char *name)
{
    for (size_t i = 0; i < sizeof cross_arches / sizeof *cross_arches; i++) {
        if (strcmp(cross_arches[i].name, name) == 0 && x->release->minor >= cross_arches[i].since) {
            x->arch = name;
            return true;
        }
    }
    return false;
}

static char *cross_slashes(struct cross *x, char *path)
{
    for (char *p = path; x->release->forward_slashes && *p; p++) {
        if (*p == '\\') {
            *p = '/';
        }
    }
    return path;
}

static bool cross_select_release(struct cross *x, const char *version)
{
    const struct compiler_release *r = compiler_release_find(version);
    if (r) {
        x->release = x->options.release = r;
    }
    return r != NULL;
}

// --release comes first of all, as it decides what the other options are.
static enum cross_parsed cross_release(struct cli *cli, struct cross *x, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        const char *value = NULL;
        if (strncmp(argv[i], "--release=", 10) == 0) {
            value = argv[i] + 10;
        } else if (strcmp(argv[i], "--release") == 0) {
            value = i + 1 < argc ? argv[++i] : "";
        }
        if (value && !cross_select_release(x, value)) {
            return cross_wrong(cli, "unknown release '%s'; 1.19 to 1.29 are known", value);
        }
    }
    return CROSS_RUN;
}

// An option that takes the next argument.
static enum cross_parsed cross_value(struct cli *cli, int argc, char **argv, int *i,
                                     const char **to)
{
    if (*i + 1 >= argc) {
        return cross_wrong(cli, "%s needs a value", argv[*i]);
    }
    *to = argv[++*i];
    return CROSS_RUN;
}

static enum cross_parsed cross_target_option(struct cli *cli, struct cross *x, const char *arg)
{
    static const char bits[] = "-msmall-int-bits=", arch[] = "-march=", flags[] = "-march-flags=";
    if (strncmp(arg, bits, sizeof bits - 1) == 0) {
        return cross_small_int_bits(x, arg + sizeof bits - 1)
                   ? CROSS_RUN
                   : cross_wrong(cli, "%s is not a number", arg);
    }
    if (strncmp(arg, arch, sizeof arch - 1) == 0) {
        return cross_set_arch(x, arg + sizeof arch - 1)
                   ? CROSS_RUN
                   : cross_wrong(cli, "unknown architecture in %s", arg);
    }
    if (strncmp(arg, flags, sizeof flags - 1) == 0 && x->release->arch_flags) {
        x->arch_flags = arg + sizeof flags - 1;
        return CROSS_RUN;
    }
    return cross_wrong(cli, "unknown option %s", arg);
}

static enum cross_parsed cross_option(struct cli *cli, struct cross *x, int argc, char **argv,
                                      int *i)
{
    char *arg = argv[*i];
    if (strcmp(arg, "-X") == 0) {
        ++*i; // read before
        return CROSS_RUN;
    }
    if (strcmp(arg, "--release") == 0) {
        ++*i;
        return CROSS_RUN;
    }
    if (strncmp(arg, "--release=", 10) == 0 || strcmp(arg, "-v") == 0) {
        return CROSS_RUN;
    }
    if (strcmp(arg, "--version") == 0) {
        x->version = true;
        return CROSS_RUN;
    }
    if (strncmp(arg, "-O", 2) == 0) {
        cross_optimise(x, arg);
        return CROSS_RUN;
    }
    if (strcmp(arg, "-o") == 0) {
        return cross_value(cli, argc, argv, i, &x->output);
    }
    if (strcmp(arg, "-s") == 0) {
        enum cross_parsed p = cross_value(cli, argc, argv, i, &x->options.source_name);
        if (p == CROSS_RUN) {
            cross_slashes(x, argv[*i]);
        }
        return p;
    }
    if (!x->drop_in && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
        x->help = true;
        return CROSS_RUN;
    }
    return cross_target_option(cli, x, arg);
}

static enum cross_parsed cross_arguments(struct cli *cli, struct cross *x, int argc, char **argv)
{
    bool options = true, dashes = x->release->stdin_and_dashes;
    for (int i = 1; i < argc && !x->version && !x->help; i++) {
        enum cross_parsed p = CROSS_RUN;
        if (options && argv[i][0] == '-' && (argv[i][1] || !dashes)) {
            if (dashes && strcmp(argv[i], "--") == 0) {
                options = false;
            } else {
                p = cross_option(cli, x, argc, argv, &i);
            }
        } else if (cli_append(cli, &x->inputs, cross_slashes(x, argv[i]))) {
            p = CROSS_REFUSED;
        }
        if (p != CROSS_RUN) {
            return p;
        }
    }
    return CROSS_RUN;
}

static bool cross_flags(struct cross *x)
{
    return !x->arch_flags || !x->arch ||
           (strcmp(x->arch, "rv32imc") == 0 &&
            arch_flags_read(x->release, x->arch_flags, &x->flags));
}

static enum cross_parsed cross_refuse(struct cli *cli, const char *text)
{
    cli_usage_error(cli, "%s", text);
    return CROSS_REFUSED;
}

// Several inputs go to their default outputs, or into a folder.
static bool cross_outputs_fit(struct cross *x)
{
    struct stat st;
    x->into_folder = x->output && stat(x->output, &st) == 0 && S_ISDIR(st.st_mode);
    return x->inputs.n <= 1 || !x->output || x->into_folder;
}

static enum cross_parsed cross_check(struct cli *cli, struct cross *x)
{
    if (!cross_flags(x)) {
        return cross_refuse(cli, "unrecognised arch flags");
    }
    if (x->release->arch_checked && x->machine_code && !x->arch) {
        return cross_refuse(cli, "arch not specified");
    }
    if (!x->inputs.n) {
        return cross_refuse(cli, "no input file");
    }
    if (!cross_outputs_fit(x)) {
        return cross_refuse(cli, "multiple input files");
    }
    x->options.cache = x->inputs.n > 1 ? compiler_cache_new(&cli->arena) : NULL;
    if (!x->arch && x->release->arch_host) {
        x->arch = "host";
    }
    x->options.arch = x->arch;
    return CROSS_RUN;
}

enum cross_parsed cross_parse(struct cli *cli, struct cross *x, int argc, char **argv)
{
    if (!x->release) {
        for (unsigned i = 0; compiler_release_at(i); i++) {
            x->release = compiler_release_at(i);
        }
    }
    x->options.release = x->release;
    enum cross_parsed p = cross_release(cli, x, argc, argv);
    if (p == CROSS_RUN) {
        p = cross_implementations(cli, x, argc, argv);
    }
    if (p == CROSS_RUN) {
        p = cross_arguments(cli, x, argc, argv);
    }
    return p == CROSS_RUN && !x->version && !x->help ? cross_check(cli, x) : p;
}

// a.py becomes a.mpy; upstream cuts two characters off whatever the name is.
static char *cross_default_name(const char *dir, const char *input, struct arena *a)
{
    size_t n = strlen(input);
    return arena_printf(a, "%s%s%.*smpy", dir, *dir ? "/" : "", (int)(n > 2 ? n - 2 : 0), input);
}

static const char *cross_output_name(const struct cross *x, const char *input, struct arena *a)
{
    if (!x->output) {
        return strcmp(input, "-") == 0 ? "-" : cross_default_name("", input, a);
    }
    if (x->into_folder) {
        const char *slash = strrchr(input, '/');
        return cross_default_name(x->output, slash ? slash + 1 : input, a);
    }
    return x->output;
}

static enum diag_code cross_os_error(struct cross_failure *f, const char *name, const char *what)
{
    f->os_error = errno;
    f->os_name = name;
    return diag_set(&f->diag, DIAG_IO, name, "%s: %s", what, strerror(f->os_error));
}

static enum diag_code cross_overwrite(const char *name, const struct bytes_out *out,
                                      struct cross_failure *f)
{
    // Opening a pipe that nobody reads fails instead of waiting.
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, CROSS_MODE);
    if (fd < 0) {
        return cross_os_error(f, name, "cannot write");
    }
    bool ok = fcntl(fd, F_SETFL, O_WRONLY) == 0 && file_put(fd, out->data, out->size);
    return close(fd) == 0 && ok ? DIAG_OK : cross_os_error(f, name, "cannot write");
}

// An output that is there already becomes new without being written, which takes disks much longer.
static bool cross_touch(const char *name, const struct bytes_out *out)
{
    uint8_t there[CROSS_COMPARE];
    size_t at = 0;
    int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return false;
    }
    for (;;) {
        ssize_t n = read(fd, there, sizeof there);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || (size_t)n > out->size - at || memcmp(there, out->data + at, (size_t)n)) {
            bool same = n == 0 && at == out->size && futimens(fd, NULL) == 0;
            close(fd);
            return same;
        }
        at += (size_t)n;
    }
}

// Regular files appear whole or not at all. They can be made again, so nothing is synced. A file in
// a folder that takes no other is written in place.
static enum diag_code cross_install(const char *name, bool exists, const struct bytes_out *out,
                                    struct cross_failure *f)
{
    struct temporary t = {.name = name,
                          .data = out->data,
                          .size = out->size,
                          .mode = CROSS_MODE,
                          .named = true,
                          .unsynced = true};
    temporary_write(&t);
    bool made = t.fd >= 0;
    if (!made && exists && (t.error == EACCES || t.error == EPERM)) {
        return cross_overwrite(name, out, f);
    }
    if (!temporary_install(&t, false)) {
        errno = t.error;
        return cross_os_error(f, name, "cannot write");
    }
    return DIAG_OK;
}

// Devices, pipes and links are written through.
static enum diag_code cross_write(const struct cross *x, const char *name,
                                  const struct bytes_out *out, struct cross_failure *f)
{
    struct stat st;
    bool dash = strcmp(name, "-") == 0 && x->release->stdin_and_dashes;
    if (dash || (!x->drop_in && file_is_stdout(name))) {
        return file_write("-", out->data, out->size, FILE_DATA, !x->drop_in, &f->diag);
    }
    bool exists = lstat(name, &st) == 0;
    if (exists && !S_ISREG(st.st_mode)) {
        return cross_overwrite(name, out, f);
    }
    if (exists && (uint64_t)st.st_size == out->size && cross_touch(name, out)) {
        return DIAG_OK;
    }
    return cross_install(name, exists, out, f);
}

static enum diag_code cross_read(const char *input, struct arena *a, struct cross_failure *f,
                                 struct file *file)
{
    enum diag_code err = file_read(input, a, &f->diag, file);
    struct stat st;
    if (!err || strcmp(input, "-") == 0) {
        return err;
    }
    if (stat(input, &st) != 0 || access(input, R_OK) != 0) {
        return cross_os_error(f, input, "cannot open");
    }
    if (S_ISDIR(st.st_mode)) {
        f->os_error = EISDIR;
    }
    return err;
}

static enum diag_code cross_compile(struct cross *x, const struct file *file, struct arena *a,
                                    struct cross_failure *f, struct bytes_out *out)
{
    struct mpy_module *module;
    x->options.trace = &f->trace;
    x->options.padded = (int)FILE_PAD >= (int)COMPILER_PAD;
    enum diag_code err =
        compiler_tree(file->data, file->size, file->name, &x->options, a, &f->diag, &module);
    if (err) {
        return err;
    }
    module->has_arch_flags = x->flags != 0;
    module->arch_flags = x->flags;
    mpy_write(module, out);
    return bytes_out_check(out, &f->diag);
}

enum diag_code cross_file(struct cross *x, const char *input, struct cross_failure *f)
{
    struct arena a;
    struct file file;
    struct bytes_out out;
    *f = (struct cross_failure){.input = strcmp(input, "-") ? input : "<stdin>"};
    f->source = x->options.source_name ? x->options.source_name : f->input;
    arena_init(&a, 0);
    bytes_out_init(&out);
    const char *name = cross_output_name(x, input, &a);
    if (!name) {
        arena_free(&a);
        return diag_nomem(&f->diag);
    }
    enum diag_code err = cross_read(input, &a, f, &file);
    if (!err && !x->drop_in && file_same(input, name)) {
        err = diag_set(&f->diag, DIAG_USAGE, input, "the output would replace the input");
    }
    if (!err) {
        err = cross_compile(x, &file, &a, f, &out);
    }
    if (!err && x->machine_code) { // the script's own errors come first
        err = diag_set(&f->diag, DIAG_MALFORMED, input,
                       "NotImplementedError: machine code for %s is not supported",
                       x->arch ? x->arch : "no architecture");
    }
    if (!err) {
        err = cross_write(x, name, &out, f);
    }
    bytes_out_free(&out);
    arena_free(&a);
    return err;
}
