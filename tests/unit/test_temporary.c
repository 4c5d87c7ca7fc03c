#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/temporary.h"

// Each test in a folder of its own, which must be empty at its end.
static char folder[] = "/tmp/mpy-freeze-temporary-XXXXXX";
static char path[64];
static const char text[] = "the new text";

static void temporary_start(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static unsigned entries(void)
{
    unsigned n = 0;
    DIR *d = opendir(folder);
    cr_assert_not_null(d);
    while (readdir(d)) {
        n++;
    }
    closedir(d);
    return n - 2; // . and ..
}

static void temporary_end(void)
{
    unlink(path);
    cr_assert_eq(entries(), 0);
    rmdir(folder);
}

TestSuite(temporary, .init = temporary_start, .fini = temporary_end);

static struct temporary of(bool named)
{
    return (struct temporary){
        .name = path, .data = text, .size = sizeof text, .mode = 0640, .named = named, .fd = -1};
}

static void put_old(void)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    cr_assert(fd >= 0 && write(fd, "old", 3) == 3);
    close(fd);
}

static void expect(const char *what, size_t size)
{
    char got[64];
    int fd = open(path, O_RDONLY);
    cr_assert_eq(read(fd, got, sizeof got), (ssize_t)size);
    cr_assert_arr_eq(got, what, size);
    close(fd);
}

Test(temporary, a_file_appears_when_it_is_installed_and_not_before)
{
    for (int named = 0; named < 2; named++) {
        struct stat st;
        struct temporary t = of(named);
        umask(0);
        temporary_write(&t);
        cr_assert_neq(access(path, F_OK), 0);
        cr_assert(temporary_install(&t, false));
        expect(text, sizeof text);
        cr_assert(stat(path, &st) == 0 && (st.st_mode & 07777) == 0640 && st.st_nlink == 1);
        cr_assert_eq(entries(), 1);
        unlink(path);
    }
}

Test(temporary, an_old_file_is_replaced_or_where_that_is_not_wanted_kept)
{
    put_old();
    for (int named = 0; named < 2; named++) {
        struct temporary t = of(named);
        temporary_write(&t);
        cr_assert(!temporary_install(&t, true));
        cr_assert_eq(t.error, EEXIST);
        expect("old", 3);
        cr_assert_eq(entries(), 1);
    }
    for (int named = 0; named < 2; named++) {
        struct temporary t = of(named);
        temporary_write(&t);
        cr_assert(temporary_install(&t, false));
        expect(text, sizeof text);
        cr_assert_eq(entries(), 1);
        unlink(path);
        put_old();
    }
}

Test(temporary, a_symbolic_link_is_replaced_itself)
{
    for (int named = 0; named < 2; named++) {
        struct stat st;
        struct temporary t = of(named);
        cr_assert_eq(symlink("nowhere", path), 0);
        temporary_write(&t);
        cr_assert(temporary_install(&t, false));
        cr_assert(lstat(path, &st) == 0 && S_ISREG(st.st_mode));
        cr_assert_eq(entries(), 1);
        unlink(path);
    }
}

Test(temporary, what_is_dropped_leaves_nothing)
{
    for (int named = 0; named < 2; named++) {
        struct temporary t = of(named);
        temporary_write(&t);
        temporary_drop(&t);
        temporary_drop(&t);
        cr_assert_eq(entries(), 0);
    }
}

Test(temporary, a_folder_in_its_place_is_an_error_that_leaves_nothing)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    for (int named = 0; named < 2; named++) {
        struct temporary t = of(named);
        temporary_write(&t);
        cr_assert(!temporary_install(&t, false));
        cr_assert_eq(t.error, EISDIR);
        cr_assert_eq(entries(), 1);
    }
    rmdir(path);
}

// What a file without a name meets where /proc is missing: the descriptor's path leads nowhere.
Test(temporary, a_file_that_cannot_be_named_is_written_again)
{
    struct temporary t = of(false);
    temporary_write(&t);
    if (!t.named) {
        int plain = open("/dev/null", O_WRONLY); // of another file system: EXDEV
        cr_assert_eq(dup2(plain, t.fd), t.fd);
        close(plain);
    }
    cr_assert(temporary_install(&t, false));
    expect(text, sizeof text);
    cr_assert_eq(entries(), 1);
}

Test(temporary, no_folder_no_file)
{
    for (int named = 0; named < 2; named++) {
        struct temporary t = of(named);
        t.name = "/tmp/mpy-freeze-there-is-no-such-folder/file";
        temporary_write(&t);
        cr_assert_eq(t.fd, -1);
        cr_assert(!temporary_install(&t, false));
        cr_assert_eq(t.error, ENOENT);
    }
}

Test(temporary, a_path_that_is_too_long_is_an_error)
{
    static char name[2 * TEMPORARY_PATH];
    struct temporary t = of(false);
    memset(name, '/', sizeof name - 1);
    t.name = name;
    temporary_write(&t);
    cr_assert(!temporary_install(&t, false));
    cr_assert_eq(t.error, ENAMETOOLONG);
}

Test(temporary, names_that_are_all_taken_are_an_error)
{
    char taken[200];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(taken, sizeof taken, "%s/.file.%ld.%u", folder, (long)getpid(), i);
        close(open(taken, O_WRONLY | O_CREAT, 0600));
    }
    struct temporary t = of(true);
    temporary_write(&t);
    cr_assert(!temporary_install(&t, false));
    cr_assert_eq(t.error, EEXIST);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(taken, sizeof taken, "%s/.file.%ld.%u", folder, (long)getpid(), i);
        unlink(taken);
    }
}
