// What a splice must know of how a program comes into memory: the relocation table of programs that
// are loaded anywhere, and images whose data or code is stored at another address than it runs at.
#include <criterion/criterion.h>

#include "packer/splice/dynamic.h"
#include "packer/splice/patch.h"
#include "tests/unit/image_make.h"

struct fixture {
    struct arena arena;
    struct diag diag;
    struct bytes_out file;
    struct firmware fw;
    struct patches patches;
    uint64_t add;
};

static struct fixture x;

static void setup(void)
{
    memset(&x, 0, sizeof x);
    arena_init(&x.arena, 0);
    diag_init(&x.diag);
    bytes_out_init(&x.file);
}

static void teardown(void)
{
    arena_free(&x.arena);
    bytes_out_free(&x.file);
}

TestSuite(splice_load, .init = setup, .fini = teardown);

static void open_sample(const char *name, enum image_machine isa)
{
    const struct image_sample *s = image_samples;
    while (strcmp(s->name, name) != 0) {
        s++;
        cr_assert(s->name);
    }
    x.file.size = 0;
    s->make(&x.file);
    x.add = s->add;
    struct image *img;
    cr_assert_eq(image_read(x.file.data, x.file.size, name, s->kind, &x.arena, &x.diag, &img),
                 DIAG_OK, "%s", x.diag.text);
    x.fw = (struct firmware){.image = img, .isa = isa, .ptr = img->address_bits / 8};
    patches_init(&x.patches, &x.fw, &x.arena, &x.diag);
}

static uint64_t word(const uint8_t *p)
{
    return x.fw.ptr == 8 ? ld64(p) : ld32(p);
}

// A payload of four words; two of them are pointers.
static struct freeze payload(uint8_t data[32], struct freeze_pointer pointers[2])
{
    pointers[0] = (struct freeze_pointer){.at = 0, .inside = true, .value = 16};
    pointers[1] = (struct freeze_pointer){.at = 2 * x.fw.ptr, .value = 0x1234};
    struct freeze f = {
        .size = 32, .data = data, .ptr = x.fw.ptr, .n_pointers = 2, .pointers = pointers};
    freeze_place(&f, x.add);
    return f;
}

// The new entries stand behind the RELATIVE ones (the loader counts those), the rest behind them.
static void check_table(const struct dynamic *dyn)
{
    unsigned e = dyn->entry, p = x.fw.ptr;
    cr_assert_eq(dyn->count, 1);
    uint64_t head = dyn->count * e;
    cr_assert_eq(dynamic_size(dyn, dyn->n), dyn->size + 2 * e);
    cr_assert_arr_eq(dyn->table, dyn->old, head);
    const uint8_t *fresh = dyn->table + head;
    cr_assert_eq(word(fresh), x.add);
    cr_assert_eq(word(fresh + p), dyn->type);
    cr_assert_eq(word(fresh + e), x.add + 2 * p);
    if (dyn->rela) {
        cr_assert_eq(word(fresh + 2 * p), x.add + 16);
        cr_assert_eq(word(fresh + e + 2 * p), 0x1234);
    }
    cr_assert_arr_eq(fresh + 2 * e, dyn->old + head, dyn->size - head);
}

static void check_use(const struct dynamic *dyn)
{
    uint32_t n;
    const struct blob_patch *list;
    cr_assert_eq(dynamic_use(dyn, x.add + 64, &x.patches), DIAG_OK);
    cr_assert_eq(patches_finish(&x.patches, &n, &list), DIAG_OK);
    cr_assert_eq(n, 3, "address, size and count of RELATIVE entries");
    for (uint32_t i = 0; i < n; i++) {
        uint64_t old = word(list[i].old_bytes), now = word(list[i].new_bytes);
        uint64_t expected = list[i].addr == dyn->table_at  ? x.add + 64
                            : list[i].addr == dyn->size_at ? old + 2 * dyn->entry
                                                           : old + 2;
        cr_assert_eq(now, expected, "at 0x%llx", (unsigned long long)list[i].addr);
    }
}

Test(splice_load, the_loader_is_given_a_longer_copy_of_the_relocation_table)
{
    static const struct {
        const char *name;
        enum image_machine isa;
    } samples[] = {{"elf-x64-pie", IMAGE_ISA_X64},
                   {"elf-arm-pie", IMAGE_ISA_ARM},
                   {"elf-x86-pie", IMAGE_ISA_X86}};
    for (unsigned i = 0; i < 3; i++) {
        struct dynamic dyn;
        struct freeze_pointer pointers[2];
        uint8_t data[32] = {0};
        open_sample(samples[i].name, samples[i].isa);
        cr_assert_eq(dynamic_find(&x.fw, &x.diag, &dyn), DIAG_OK, "%s", x.diag.text);
        struct freeze f = payload(data, pointers);
        dynamic_make(&dyn, &f, x.add, &x.arena);
        check_table(&dyn);
        check_use(&dyn);
    }
}

// The value of a tag of the dynamic section, which comes before any other words like it.
static uint8_t *tag_at(uint64_t tag)
{
    for (size_t at = 0; at + 16 <= x.file.size; at += 8) {
        if (ld64(x.file.data + at) == tag && ld64(x.file.data + at + 16) >= 8) {
            return x.file.data + at;
        }
    }
    cr_assert_fail("no tag %llu", (unsigned long long)tag);
    return NULL;
}

Test(splice_load, lazy_relocations_counted_with_the_others_stay_where_they_are)
{
    struct dynamic dyn;
    open_sample("elf-x64-pie", IMAGE_ISA_X64);
    uint8_t *rel = tag_at(17), *size = tag_at(18);
    st64(rel, 23);         // DT_JMPREL
    st64(size, 2);         // DT_PLTRELSZ
    st64(size + 8, 24);    // one entry
    st64(rel - 8, 2 * 24); // DT_RELASZ has it, too
    struct image *img;
    cr_assert_eq(image_read(x.file.data, x.file.size, "lazy", IMAGE_ELF, &x.arena, &x.diag, &img),
                 DIAG_OK, "%s", x.diag.text);
    x.fw.image = img;
    cr_assert_eq(dynamic_find(&x.fw, &x.diag, &dyn), DIAG_OK, "%s", x.diag.text);
    cr_expect_eq(dyn.size, 24);
    cr_expect_eq(dynamic_size(&dyn, 3), 4 * 24);
}

Test(splice_load, a_relocated_word_is_redirected_where_its_addend_stands)
{
    struct dynamic dyn;
    struct freeze_pointer pointers[2];
    uint8_t data[32] = {0};
    open_sample("elf-x64-pie", IMAGE_ISA_X64);
    cr_assert_eq(dynamic_find(&x.fw, &x.diag, &dyn), DIAG_OK);
    struct freeze f = payload(data, pointers);
    dynamic_make(&dyn, &f, x.add, &x.arena);
    uint64_t where = ld64(dyn.old);
    cr_assert_eq(dynamic_redirect(&dyn, where, 0x5678, &x.patches), DIAG_OK);
    cr_assert_eq(ld64(dyn.table + 16), 0x5678);
    cr_assert_eq(x.patches.n, 0, "the word itself means nothing to the loader");
    open_sample("elf-x86-pie", IMAGE_ISA_X86);
    cr_assert_eq(dynamic_find(&x.fw, &x.diag, &dyn), DIAG_OK);
    cr_assert(!dyn.rela);
    f = payload(data, pointers);
    dynamic_make(&dyn, &f, x.add, &x.arena);
    cr_assert_eq(dynamic_redirect(&dyn, ld32(dyn.old), 0x5678, &x.patches), DIAG_OK);
    cr_assert_eq(x.patches.n, 1);
    cr_assert_eq(ld32(x.patches.items[0].bytes), 0x5678);
}

Test(splice_load, a_program_without_a_relocation_table_is_refused)
{
    struct dynamic dyn;
    open_sample("elf-arm", IMAGE_ISA_THUMB);
    cr_assert_eq(dynamic_find(&x.fw, &x.diag, &dyn), DIAG_NO);
    cr_assert(strstr(x.diag.text, "DT_RELA"), "%s", x.diag.text);
}

Test(splice_load, code_that_runs_from_ram_is_patched_where_it_is_stored)
{
    uint32_t n;
    const struct blob_patch *list;
    open_sample("elf-arm", IMAGE_ISA_THUMB);
    uint64_t stored = image_run_to_addr(x.fw.image, 0x20000010);
    cr_assert_neq(stored, 0x20000010);
    const struct fw_ref ref = {.kind = FW_REF_WORD, .addr = 0x20000010};
    cr_assert_eq(patches_reference(&x.patches, &ref, 0x8002000, "the table"), DIAG_OK);
    cr_assert_eq(patches_finish(&x.patches, &n, &list), DIAG_OK);
    cr_assert_eq(n, 1);
    cr_assert_eq(list[0].addr, stored);
    cr_assert_eq(ld32(list[0].new_bytes), 0x8002000);
}

static enum diag_code add(uint64_t addr, uint64_t size)
{
    struct bytes_out undo;
    bytes_out_init(&undo);
    diag_init(&x.diag);
    enum diag_code err = image_undo(x.fw.image, addr, size, &undo, &x.diag);
    bytes_out_free(&undo);
    return err;
}

Test(splice_load, the_stored_data_and_the_variables_behind_it_are_not_free)
{
    open_sample("elf-arm", IMAGE_ISA_THUMB);
    const struct image_segment *text = &x.fw.image->segments[0], *data = &x.fw.image->segments[1];
    uint64_t stored_end = data->addr + data->size, bss_end = data->run + data->mem_size;
    cr_assert_eq(data->addr, text->addr + text->size, "the data is stored right behind the code");
    cr_assert_eq(add(text->addr + text->size, 16), DIAG_NO, "over the stored .data");
    cr_assert_eq(add(stored_end - 1, 16), DIAG_NO);
    cr_assert_eq(add(stored_end, 16), DIAG_OK, "%s", x.diag.text);
    cr_assert_eq(add(bss_end - 1, 16), DIAG_NO, "over .bss, which the start code clears");
    cr_assert_eq(add(bss_end, 16), DIAG_OK, "%s", x.diag.text);
}
