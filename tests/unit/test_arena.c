#include <criterion/criterion.h>
#include <string.h>

#include "format/arena.h"

Test(arena, blocks_grow_and_are_counted)
{
    struct arena a;
    arena_init(&a, 1 << 20);
    char *p = arena_resize(&a, NULL, 100), *q = arena_resize(&a, NULL, 200);
    memset(p, 'p', 100);
    memset(q, 'q', 200);
    p = arena_resize(&a, p, 50000);
    cr_assert_not_null(p);
    cr_expect_eq(p[99], 'p');
    cr_expect_eq(q[199], 'q');
    cr_expect_eq((uintptr_t)p % 16, 0);
    cr_expect_eq(a.total, 50200);
    arena_drop(&a, q);
    cr_expect_eq(a.total, 50000);
    cr_expect_null(arena_resize(&a, NULL, 2 << 20), "beyond the limit");
    cr_expect_null(arena_resize(&a, p, SIZE_MAX));
    cr_expect_eq(a.total, 50000);
    arena_drop(&a, NULL);
    arena_free(&a);
    cr_expect_eq(a.total, 0);
}

Test(arena, what_is_forgotten_of_a_block_does_not_count)
{
    enum { SIZE = 3 << 20, HALF = SIZE / 2 };
    struct arena a;
    arena_init(&a, 5 << 20);
    char *p = arena_resize(&a, NULL, HALF);
    memset(p, 'p', HALF);
    p = arena_resize(&a, p, SIZE);
    cr_assert_not_null(p);
    memset(p + HALF, 'q', HALF);
    cr_expect_null(arena_resize(&a, NULL, SIZE), "over the limit");
    arena_forget(&a, p, 0, 1000);
    arena_forget(&a, p, 1000, HALF);
    cr_expect_eq(a.total, SIZE - HALF);
    cr_expect_eq(a.most, SIZE);
    cr_expect_eq(p[HALF], 'q', "only what was named");
    cr_expect_eq(p[SIZE - 1], 'q');
    cr_expect_not_null(arena_resize(&a, NULL, SIZE));
    arena_drop(&a, p);
    cr_expect_eq(a.total, SIZE);
    arena_free(&a);
    cr_expect_eq(a.total, 0);
}

Test(arena, blocks_are_dropped_in_any_order)
{
    for (unsigned order = 0; order < 6; order++) {
        struct arena a;
        void *p[3];
        arena_init(&a, 0);
        for (unsigned i = 0; i < 3; i++) {
            p[i] = arena_resize(&a, NULL, 10 + i);
        }
        arena_drop(&a, p[order % 3]);
        arena_drop(&a, p[(order % 3 + 1 + order / 3) % 3]);
        cr_expect_not_null(arena_resize(&a, NULL, 5));
        arena_free(&a); // what is left, as the sanitizers see
        cr_expect_eq(a.total, 0);
    }
}

Test(arena, inner_arenas_count_for_the_outer_one)
{
    struct arena a, b;
    arena_init(&a, 100000);
    cr_assert_not_null(arena_alloc(&a, 10));
    size_t before = a.total;
    arena_init_inside(&b, &a);
    cr_assert_not_null(arena_alloc(&b, 20000));
    cr_assert_not_null(arena_resize(&b, NULL, 1000));
    cr_expect_eq(a.total, before + b.total);
    cr_expect_null(arena_alloc(&b, 90000), "beyond the outer limit");
    cr_expect_null(arena_resize(&b, NULL, 90000));
    arena_free(&b);
    cr_expect_eq(a.total, before);
    cr_expect_not_null(arena_alloc(&a, 60000));
    arena_free(&a);
}

Test(arena, bytes_are_packed)
{
    struct arena a;
    arena_init(&a, 0);
    char *one = arena_pack(&a, "abc", 3), *two = arena_pack(&a, "de", 2);
    cr_expect_eq(two, one + 3);
    cr_expect_arr_eq(one, "abcde", 5);
    void *p = arena_alloc(&a, 8);
    cr_expect_eq((uintptr_t)p % 16, 0);
    cr_expect_geq((char *)p, two + 2);
    cr_expect_not_null(arena_pack(&a, NULL, 0));
    char *large = arena_pack(&a, memset(arena_alloc(&a, 1 << 20), 'x', 1 << 20), 1 << 20);
    cr_expect_eq(large[(1 << 20) - 1], 'x');
    arena_free(&a);
}

Test(arena, large_objects_leave_the_room_for_small_ones_alone)
{
    struct arena a;
    arena_init(&a, 0);
    char *before = arena_alloc(&a, 16);
    char *large = arena_alloc(&a, 700000);
    memset(large, 1, 700000);
    cr_assert_eq((char *)arena_alloc(&a, 16), before + 16);
    cr_assert_lt(a.total, 700000 + 40000);
    arena_free(&a);
}
