// watch: builds, then builds again whenever something that the product is made of changes.
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "packer/cli/project.h"
#include "packer/manifest/path.h"

static cli_run watch_run;

const struct cli_command cmd_watch = {
    .name = "watch",
    .summary = "build again after every change, and run a command",
    .usage = "watch [OPTIONS OF build] [--run COMMAND]\n\n"
             "Builds as build does, from -f FIRMWARE -o PRODUCT INPUT... or from mpy-freeze.ini,\n"
             "then waits: when a script, a manifest, the firmware, the key or the project file\n"
             "changes, it builds again. A wrong script shows its error; the next change counts.\n"
             "Ends with Ctrl-C.\n\n"
             "Options:\n"
             "  --run COMMAND   run by the shell after each good build: the tool that flashes\n"
             "  --once          build (and run) once, then leave with the build's exit code\n"
             "  and those of build\n\n"
             "Example:\n"
             "  mpy-freeze watch -f fw.uf2 -o p.uf2 app/ --run 'picotool load -x p.uf2'",
    .run = watch_run,
};

enum {
    WATCH_QUIET_MS = 50, // editors write a file in several steps
    WATCH_FOLDERS_MAX = 4096,
    WATCH_DEPTH = 32,
    WATCH_ENTRIES = 50000, // of one folder
};

struct watch {
    struct cli *cli;
    const char *run;
    bool once;
    int argc; // what build gets
    char **argv;
    int fd; // of inotify
    unsigned n_folders;
};

// What one build depends on, gathered as a hash of names, times and sizes.
struct state {
    struct watch *watch; // NULL = do not add watches
    struct arena *arena;
    uint64_t hash;
    const char *watched; // the folder that was watched last
};

static void state_mix(struct state *s, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n--) {
        s->hash = (s->hash ^ *p++) * 0x100000001b3u; // FNV-1a
    }
}

// Watching a folder twice gives the same descriptor; they count from 1. False: there is no such
// folder.
static bool watch_add(struct watch *w, const char *folder, uint32_t events)
{
    int n = inotify_add_watch(w->fd, *folder ? folder : ".", events | IN_ONLYDIR | IN_MASK_ADD);
    if (n > 0 && (unsigned)n > w->n_folders) {
        w->n_folders = (unsigned)n;
    }
    return n > 0;
}

// What is in a folder, or, while there is no such folder, in the one where it will be; and that the
// name goes on leading there: a folder above may be renamed or replaced.
static void watch_folder(struct state *s, const char *folder)
{
    const uint32_t self = IN_DELETE_SELF | IN_MOVE_SELF;
    const uint32_t inside = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE;
    struct watch *w = s->watch;
    if (!w || w->n_folders >= WATCH_FOLDERS_MAX ||
        (s->watched && strcmp(s->watched, folder) == 0)) {
        return;
    }
    s->watched = folder;
    bool found = watch_add(w, folder, inside | self);
    while (*folder && strcmp(folder, "/") != 0) {
        folder = path_dirname(s->arena, folder);
        if (!folder) {
            return;
        }
        found = watch_add(w, folder, found ? self : inside | self) || found;
    }
}

static void state_file(struct state *s, const char *path)
{
    struct stat st;
    state_mix(s, path, strlen(path));
    if (stat(path, &st) == 0) {
        state_mix(s, &st.st_mtim, sizeof st.st_mtim);
        state_mix(s, &st.st_size, sizeof st.st_size);
        state_mix(s, &st.st_ino, sizeof st.st_ino);
    }
    const char *folder = path_dirname(s->arena, path);
    if (folder) {
        watch_folder(s, folder);
    }
}

// All scripts below a folder.
static void state_folder(struct state *s, const char *folder, unsigned depth)
{
    struct path_entry *entries;
    unsigned n;
    watch_folder(s, folder);
    if (depth > WATCH_DEPTH || path_list(s->arena, folder, WATCH_ENTRIES, &entries, &n)) {
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        const char *path = path_join(s->arena, folder, entries[i].name);
        bool script = path_has_extension(entries[i].name, ".py") ||
                      path_has_extension(entries[i].name, ".mpy");
        if (!path || entries[i].name[0] == '.') {
            continue;
        }
        if (entries[i].is_dir) {
            state_folder(s, path, depth + 1);
        } else if (script) {
            state_file(s, path);
        }
    }
}

static void state_build(struct state *s, const struct build *b)
{
    const char *files[] = {b->firmware, b->main, b->boot, b->passphrase_file};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (files[i]) {
            state_file(s, files[i]);
        }
    }
    for (unsigned i = 0; i < b->keys.n; i++) {
        state_file(s, b->keys.items[i]);
    }
    for (unsigned i = 0; i < b->args.n; i++) {
        if (path_is_dir(b->args.items[i])) {
            state_folder(s, b->args.items[i], 0);
        } else {
            state_file(s, b->args.items[i]);
        }
    }
    for (unsigned i = 0; i < b->list.manifests.n; i++) {
        state_file(s, b->list.manifests.items[i]);
    }
    for (unsigned i = 0; i < b->list.n; i++) {
        state_file(s, b->list.items[i].path);
    }
}

static bool is_project(const struct build *b)
{
    return b->project || (!b->firmware && !b->output);
}

// The state of everything that the build depends on now. Inputs are listed anew, because a manifest
// or a folder may name others than before; a manifest that is wrong just now counts by itself.
static uint64_t watch_state(struct watch *w, bool add_watches)
{
    struct cli cli = {.program = w->cli->program};
    struct build b = {0};
    struct cli_option options[BUILD_OPTIONS];
    bool helped;
    arena_init(&cli.arena, 0);
    diag_init(&cli.diag);
    build_options(&b, options);
    struct state s = {add_watches ? w : NULL, &cli.arena, 0xcbf29ce484222325u, NULL};
    if (cli_parse(&cli, &cmd_watch, w->argc, w->argv, options, &helped) == DIAG_OK) {
        if (!is_project(&b)) {
            build_list(&cli, &b);
            state_build(&s, &b);
        } else {
            struct project *p = NULL;
            const struct project_options o = {.file = b.project, .only = &b.args, .keys = &b.keys};
            state_file(&s, b.project ? b.project : PROJECT_FILE);
            if (project_read(&cli, &o, &p) == DIAG_OK) {
                for (unsigned i = 0; i < p->n; i++) {
                    build_list(&cli, &p->rows[i].build);
                    state_build(&s, &p->rows[i].build);
                }
            }
        }
    }
    arena_free(&cli.arena);
    return s.hash;
}

static void watch_report(const struct cli *cli)
{
    char message[4096];
    if (cli->diag.code) {
        diag_format(&cli->diag, cli->program, message, sizeof message);
        fprintf(stderr, "%s\n", message);
    }
}

// Runs the user's command; its failure is told and changes nothing.
static void watch_command(const struct watch *w)
{
    fflush(stdout);
    int status = system(w->run);
    if (status == -1) {
        fprintf(stderr, "%s: cannot run: %s\n", w->cli->program, strerror(errno));
    } else if (WIFEXITED(status) && WEXITSTATUS(status)) {
        fprintf(stderr, "%s: the command left with exit code %d\n", w->cli->program,
                WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        fprintf(stderr, "%s: the command was ended by signal %d\n", w->cli->program,
                WTERMSIG(status));
    }
}

// One build with memory of its own; the error, if any, is printed.
static enum diag_code watch_build(struct watch *w)
{
    extern const struct cli_command cmd_build;
    struct cli cli = {.program = w->cli->program};
    arena_init(&cli.arena, 0);
    diag_init(&cli.diag);
    enum diag_code err = cmd_build.run(&cli, w->argc, w->argv);
    watch_report(&cli);
    arena_free(&cli.arena);
    fflush(stdout);
    if (!err && w->run) {
        watch_command(w);
    }
    return err;
}

// Waits until something happens in a watched folder and then nothing for a moment.
static enum diag_code watch_wait(struct watch *w)
{
    char events[4096];
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    int timeout = -1, n;
    while ((n = poll(&p, 1, timeout)) != 0) {
        if (n < 0 && errno != EINTR) {
            return diag_set(&w->cli->diag, DIAG_IO, NULL, "cannot wait: %s", strerror(errno));
        }
        if (n > 0 && read(w->fd, events, sizeof events) < 0 && errno != EINTR) {
            return diag_set(&w->cli->diag, DIAG_IO, NULL, "cannot wait: %s", strerror(errno));
        }
        timeout = WATCH_QUIET_MS;
    }
    return DIAG_OK;
}

// Starts anew with the watches: folders come and go.
static enum diag_code watch_open(struct watch *w)
{
    if (w->fd >= 0) {
        close(w->fd);
    }
    w->n_folders = 0;
    w->fd = inotify_init1(IN_CLOEXEC);
    return w->fd >= 0
               ? DIAG_OK
               : diag_set(&w->cli->diag, DIAG_IO, NULL, "cannot watch files: %s", strerror(errno));
}

static enum diag_code watch_loop(struct watch *w)
{
    uint64_t built = 0;
    for (bool first = true;; first = false) {
        enum diag_code err = watch_open(w);
        if (err) {
            return err;
        }
        // The watches stand before the build reads anything, so that no change falls between.
        uint64_t state = watch_state(w, true);
        if (first || state != built) {
            built = state;
            watch_build(w);
            fprintf(stderr, "%s: waiting for changes\n", w->cli->program);
        }
        if (watch_state(w, false) == built && (err = watch_wait(w))) {
            return err;
        }
    }
}

// Takes --run and --once out of the arguments; the rest is build's.
static enum diag_code watch_arguments(struct watch *w, int argc, char **argv)
{
    w->argv = ARENA_ARRAY(&w->cli->arena, char *, (size_t)argc + 1);
    if (!w->argv) {
        return diag_nomem(&w->cli->diag);
    }
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--run") == 0) {
            if (++i == argc) {
                return cli_usage_error(w->cli, "--run needs a command");
            }
            w->run = argv[i];
        } else if (strncmp(argv[i], "--run=", 6) == 0) {
            w->run = argv[i] + 6;
        } else if (strcmp(argv[i], "--once") == 0) {
            w->once = true;
        } else {
            w->argv[w->argc++] = argv[i];
        }
    }
    return DIAG_OK;
}

static enum diag_code watch_run(struct cli *cli, int argc, char **argv)
{
    struct watch w = {.cli = cli, .fd = -1};
    struct build b = {0};
    struct cli_option options[BUILD_OPTIONS];
    bool helped;
    enum diag_code err = watch_arguments(&w, argc, argv);
    build_options(&b, options);
    err = err ? err : cli_parse(cli, &cmd_watch, w.argc, w.argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (is_project(&b)) {
        const char *file = b.project ? b.project : PROJECT_FILE;
        err = path_exists(file)
                  ? DIAG_OK
                  : cli_usage_error(cli, "-f FIRMWARE is missing, and there is no %s", file);
    } else {
        err = build_check(cli, &b);
    }
    if (!err) {
        err = w.once ? watch_build(&w) : watch_loop(&w);
    }
    if (w.fd >= 0) {
        close(w.fd);
    }
    return err;
}
