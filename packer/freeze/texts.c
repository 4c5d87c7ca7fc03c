// The data of string and bytes constants: equal data is kept once in the whole payload.
#include "packer/freeze/internal.h"

static uint32_t hash_text(const uint8_t *data, uint32_t n)
{
    uint32_t h = 2166136261u;
    for (uint32_t i = 0; i < n; i++) {
        h = (h ^ data[i]) * 16777619u;
    }
    return h;
}

static struct text_entry *find(const struct freezer *f, const uint8_t *data, uint32_t len,
                               uint32_t hash)
{
    for (uint32_t i = hash & (f->n_text_slots - 1);; i = (i + 1) & (f->n_text_slots - 1)) {
        struct text_entry *e = &f->texts[i];
        if (!e->run || (e->hash == hash && e->len == len && !memcmp(e->data, data, len))) {
            return e;
        }
    }
}

static void rehash(struct freezer *f)
{
    struct text_entry *old = f->texts;
    uint32_t n_old = f->n_text_slots;
    f->n_text_slots = n_old ? n_old * 2 : 256;
    f->texts = ARENA_ARRAY(f->arena, struct text_entry, f->n_text_slots);
    for (uint32_t i = 0; i < n_old; i++) {
        if (old[i].run) {
            *find(f, old[i].data, old[i].len, old[i].hash) = old[i];
        }
    }
}

struct text_ref freeze_text(struct freezer *f, const uint8_t *data, uint32_t len)
{
    if (f->n_texts * 2 >= f->n_text_slots) {
        rehash(f);
    }
    uint32_t hash = hash_text(data, len);
    struct text_entry *e = find(f, data, len, hash);
    if (!e->run) {
        struct place at = pieces_bytes(&f->pieces, data, len);
        bytes_put_u8(&f->pieces.part[PART_BYTES], 0); // str data is terminated (py/objstr.c)
        *e = (struct text_entry){data, len, hash, f->run, at};
        f->n_texts++;
    }
    if (e->run == f->run) {
        return (struct text_ref){.place = e->place};
    }
    return (struct text_ref){.earlier = true, .offset = f->bytes_base[e->run] + e->place.offset};
}
