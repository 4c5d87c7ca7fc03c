// Where a blob may go: --region, else what the board table and the image agree on.
#include "packer/boards/board.h"
#include "packer/cli/build.h"

// What two regions share, said in the words of the one that ends first.
static bool overlap(const struct fw_region *a, const struct fw_region *b, struct fw_region *out)
{
    uint64_t a_end = a->addr + a->size, b_end = b->addr + b->size;
    uint64_t from = a->addr > b->addr ? a->addr : b->addr, to = a_end < b_end ? a_end : b_end;
    *out = a_end < b_end ? *a : *b;
    out->addr = from;
    out->size = to > from ? to - from : 0;
    return to > from;
}

// The parts of the image's free regions that the board leaves to an application. Where the image
// shows nothing, the board's word is enough.
static void clip(struct cli *cli, struct build *b, const struct fw_region *board, unsigned n)
{
    const struct firmware *fw = b->fw;
    struct fw_region *list = ARENA_ARRAY(&cli->arena, struct fw_region, fw->n_free * n + n);
    unsigned count = 0;
    for (unsigned i = 0; i < fw->n_free; i++) {
        for (unsigned k = 0; k < n; k++) {
            count += overlap(&fw->free[i], &board[k], &list[count]);
        }
    }
    if (!count) {
        memcpy(list, board, n * sizeof *board);
        count = n;
    }
    b->splice.regions = list;
    b->splice.n_regions = count;
}

// The board the user names, else the one the firmware calls itself, if its image agrees.
static enum diag_code find_board(struct cli *cli, const struct build *b, const struct board **board)
{
    *board = NULL;
    if (b->board) {
        enum diag_code err = board_find(b->board, &cli->arena, &cli->diag, board);
        return err ? err : board_check(*board, b->fw, &cli->diag);
    }
    struct boards *boards;
    enum diag_code err = boards_load(&cli->arena, &cli->diag, &boards);
    if (!err && b->fw->board && b->fw->board[0]) {
        *board = board_match(boards, b->fw->board);
    }
    if (*board && board_check(*board, b->fw, NULL)) {
        *board = NULL;
    }
    return err;
}

// An Espressif app on its own does not know its partition; the board that the user names does.
static void grow_in_partition(struct cli *cli, struct build *b, const struct board *board)
{
    const struct firmware *fw = b->fw;
    if (!b->board || !board->by_offset || !board->app.n || fw->n_free != 1 ||
        fw->mapped_grows != FW_YES || fw->image->kind == IMAGE_ESP_FLASH) {
        return;
    }
    struct fw_region *r = ARENA_NEW(&cli->arena, struct fw_region);
    *r = fw->free[0];
    r->size = image_room(fw->image, r->addr, board->app.at[0].size);
    r->why = "the end of the board's partition";
    b->splice.regions = r;
    b->splice.n_regions = 1;
}

enum diag_code build_place(struct cli *cli, struct build *b)
{
    const struct board *board;
    struct fw_region *regions;
    unsigned n = 0;
    if (b->region) {
        b->splice.regions = &b->by_hand;
        b->splice.n_regions = 1;
        return DIAG_OK;
    }
    enum diag_code err = find_board(cli, b, &board);
    if (!err && board && board->by_offset && board->app.n && b->fw->image->kind == IMAGE_ESP_APP) {
        b->app_limit = board->app.at[0].size;
    }
    if (!err && board) {
        grow_in_partition(cli, b, board);
        err = board_free(board, b->fw->image, &cli->arena, &cli->diag, &regions, &n);
    }
    if (!err && n) {
        clip(cli, b, regions, n);
    }
    return err;
}
