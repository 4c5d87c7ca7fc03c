// convert: one container to another.
#include <string.h>

#include "format/firmware/firmware.h"
#include "format/image/image.h"
#include "packer/cli/cli.h"

static enum diag_code run(struct cli *cli, int argc, char **argv);

const struct cli_command cmd_convert = {
    .name = "convert",
    .summary = "write a firmware image in another container",
    .usage =
        "convert IN -o OUT [--type T] [--from T] [--base ADDRESS] [--family F]\n\n"
        "Writes the address space of IN in another container. T is one of elf, bin, uf2, dfuse, "
        "ihex,\n"
        "esp (the app of a full-flash image); without --type the name of OUT decides.\n\n"
        "  -o OUT          output file, - for standard output\n"
        "  --type T        container of OUT\n"
        "  --from T        container of IN, where its content is not enough\n"
        "  --base ADDRESS  base address of a raw IN (otherwise inferred from MicroPython in it)\n"
        "  --family F      UF2 family: a name such as rp2040 or stm32f4, a number, or none\n\n"
        "Example:\n  mpy-freeze convert firmware.elf -o firmware.uf2 --family rp2040",
    .run = run,
};

struct convert_args {
    struct cli_list in;
    const char *out, *type, *from, *family;
    uint64_t base; // UINT64_MAX: not given
    struct image_target target;
};

static enum diag_code convert_kind(struct cli *cli, const char *option, const char *name,
                                   enum image_kind *kind)
{
    *kind = image_kind_find(name);
    if (*kind == IMAGE_AUTO) {
        return cli_usage_error(
            cli, "%s takes elf, bin, uf2, dfuse, ihex, esp or esp-flash, not '%s'", option, name);
    }
    return DIAG_OK;
}

static enum diag_code convert_to(struct cli *cli, struct convert_args *a)
{
    if (a->type) {
        return convert_kind(cli, "--type", a->type, &a->target.kind);
    }
    a->target.kind = image_kind_of_name(a->out);
    return a->target.kind != IMAGE_AUTO
               ? DIAG_OK
               : cli_usage_error(
                     cli, "the name '%s' does not say which container it is: give --type", a->out);
}

static enum diag_code convert_family(struct cli *cli, struct convert_args *a)
{
    if (a->family && strcmp(a->family, "none") != 0) {
        a->target.has_family = image_uf2_family(a->family, &a->target.family);
        return a->target.has_family
                   ? DIAG_OK
                   : cli_usage_error(cli, "--family: '%s' is neither known nor a number",
                                     a->family);
    }
    return DIAG_OK;
}

// What the container does not say comes from the command line or from the firmware in it: the base
// of a raw image, the processor for an ELF.
static enum diag_code convert_complete(struct cli *cli, const struct convert_args *a,
                                       struct image *img)
{
    bool machine = a->target.kind == IMAGE_ELF && img->machine == IMAGE_ISA_UNKNOWN;
    if (a->base != UINT64_MAX) {
        image_rebase(img, a->base);
    }
    if (!img->base_known || machine) {
        struct firmware *fw = NULL;
        struct diag ignored;
        diag_init(&ignored);
        (void)firmware_scan(img, &ignored, &fw);
        img->machine = fw && machine ? fw->isa : img->machine;
    }
    return img->base_known ? DIAG_OK
                           : cli_usage_error(cli,
                                             "%s is a raw image and no MicroPython in it tells its "
                                             "address: give --base",
                                             img->name);
}

static enum diag_code convert_run(struct cli *cli, struct convert_args *a)
{
    struct file f;
    struct image *img;
    struct bytes_out out;
    enum image_kind from = IMAGE_AUTO;
    enum diag_code err = convert_to(cli, a);
    err = err ? err : convert_family(cli, a);
    err = err || !a->from ? err : convert_kind(cli, "--from", a->from, &from);
    err = err ? err : file_read(a->in.items[0], &cli->arena, &cli->diag, &f);
    err = err ? err : image_read(f.data, f.size, f.name, from, &cli->arena, &cli->diag, &img);
    err = err ? err : convert_complete(cli, a, img);
    if (!err && a->target.kind == IMAGE_UF2 && img->kind != IMAGE_UF2 && !a->family) {
        err = cli_usage_error(cli, "boot loaders take UF2 blocks of their own family only: give "
                                   "--family NAME (rp2040, samd51, ...) or --family none");
    }
    if (err) {
        return err;
    }
    bytes_out_init(&out);
    err = image_convert(img, &a->target, &out, &cli->diag);
    if (!err) {
        bool program = a->target.kind == IMAGE_ELF;
        err = file_write(a->out, out.data, out.size, program ? file_mode_of(f.name) : FILE_DATA,
                         a->target.kind != IMAGE_IHEX, &cli->diag);
    }
    bytes_out_free(&out);
    return err;
}

static enum diag_code run(struct cli *cli, int argc, char **argv)
{
    struct convert_args a = {.base = UINT64_MAX};
    const struct cli_option options[] = {
        {"-o", "--output", CLI_VALUE, &a.out},
        {"--type", NULL, CLI_VALUE, &a.type},
        {"--from", NULL, CLI_VALUE, &a.from},
        {"--base", NULL, CLI_UINT, &a.base},
        {"--family", NULL, CLI_VALUE, &a.family},
        {NULL, NULL, CLI_REST, &a.in},
        {0},
    };
    bool helped;
    enum diag_code err = cli_parse(cli, &cmd_convert, argc, argv, options, &helped);
    if (err || helped) {
        return err;
    }
    if (a.in.n != 1 || !a.out) {
        return cli_usage_error(cli, "convert needs one input file and -o OUT");
    }
    if (file_same(a.in.items[0], a.out)) {
        return cli_usage_error(cli, "the output would replace the input");
    }
    return convert_run(cli, &a);
}
