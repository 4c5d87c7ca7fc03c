#include "packer/cli/firmware_view.h"

static bool take_blob_file(struct cli *cli, struct firmware_view *v)
{
    struct diag ignored;
    diag_init(&ignored);
    return blob_read(v->file.data, v->file.size, v->file.name, &cli->arena, &ignored, &v->blob) ==
           DIAG_OK;
}

enum diag_code firmware_view_read(struct cli *cli, const char *path, const char *type,
                                  struct firmware_view *v)
{
    *v = (struct firmware_view){.image = NULL};
    diag_init(&v->why);
    enum image_kind kind = type ? image_kind_find(type) : IMAGE_AUTO;
    if (type && kind == IMAGE_AUTO) {
        return cli_usage_error(cli, "there is no container type %s", type);
    }
    enum diag_code err = file_read(path, &cli->arena, &cli->diag, &v->file);
    if (err || (!type && take_blob_file(cli, v))) {
        return err;
    }
    err = image_read(v->file.data, v->file.size, v->file.name, kind, &cli->arena, &cli->diag,
                     &v->image);
    if (err) {
        return err;
    }
    err = firmware_scan(v->image, &v->why, &v->fw);
    if (err && err != DIAG_NO) {
        cli->diag = v->why;
        return err;
    }
    return blob_find(v->image, &cli->arena, &cli->diag, &v->blob);
}
