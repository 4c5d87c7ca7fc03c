#include <criterion/criterion.h>

#include "format/arena.h"
#include "format/bytes.h"

Test(bytes, varuint_round_trip)
{
    const uint64_t values[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct bytes_out out;
        bytes_out_init(&out);
        bytes_put_varuint(&out, values[i]);
        struct bytes_in in;
        bytes_in_init(&in, out.data, out.size, "t", NULL);
        cr_assert_eq(bytes_varuint(&in, "v", UINT64_MAX), values[i]);
        cr_assert_eq(bytes_left(&in), 0);
        bytes_out_free(&out);
    }
}

Test(bytes, varuint_refuses_more_than_max)
{
    const uint8_t data[] = {0x81, 0x00}; // 128
    struct diag d;
    diag_init(&d);
    struct bytes_in in;
    bytes_in_init(&in, data, sizeof data, "t", &d);
    bytes_varuint(&in, "v", 127);
    cr_assert_eq(in.failed, DIAG_MALFORMED);
    cr_assert_str_eq(d.field, "v");
}

Test(bytes, reading_past_the_end_names_the_field_and_sticks)
{
    const uint8_t data[] = {1, 2, 3};
    struct diag d;
    diag_init(&d);
    struct bytes_in in;
    bytes_in_init(&in, data, sizeof data, "t.bin", &d);
    cr_assert_eq(bytes_u16(&in, "first"), 0x0201);
    cr_assert_eq(bytes_u32(&in, "second"), 0);
    cr_assert_eq(bytes_u8(&in, "third"), 0);
    cr_assert_eq(d.offset, 2);
    cr_assert_str_eq(d.field, "second");
}

Test(bytes, checked_arithmetic)
{
    uint64_t v;
    cr_assert_not(ck_add(UINT64_MAX, 1, &v));
    cr_assert_not(ck_mul(UINT64_MAX, 2, &v));
    cr_assert_not(ck_align(UINT64_MAX, 16, &v));
    cr_assert(ck_align(17, 16, &v) && v == 32);
    cr_assert(in_range(3, 0, 3));
    cr_assert_not(in_range(4, 0, 3));
    cr_assert_not(in_range(1, UINT64_MAX, 3));
}

Test(bytes, lent_memory_is_used_while_it_lasts)
{
    uint8_t memory[4] = {1, 2};
    struct bytes_out out;
    bytes_out_init_over(&out, memory, sizeof memory);
    bytes_put(&out, memory, 2); // what is there already
    bytes_put_u16(&out, 0x0403);
    cr_assert_eq(out.data, memory);
    cr_assert_arr_eq(memory, ((uint8_t[]){1, 2, 3, 4}), 4);
    bytes_put_u8(&out, 5);
    cr_assert_neq(out.data, memory);
    cr_assert_arr_eq(out.data, ((uint8_t[]){1, 2, 3, 4, 5}), 5);
    bytes_out_free(&out);
}

Test(bytes, an_arena_may_hold_them)
{
    struct arena a;
    struct bytes_out out;
    arena_init(&a, 0);
    bytes_out_init_in(&out, &a);
    for (unsigned i = 0; i < 1000; i++) {
        bytes_put_u32(&out, i);
    }
    cr_assert_eq(ld32(out.data + 4 * 777), 777);
    bytes_out_free(&out); // the bytes stay
    cr_assert_gt(a.total, 4000);
    arena_free(&a);
}
