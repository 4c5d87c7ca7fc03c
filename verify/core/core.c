#include "verify/core/core.h"

// A trusted key's signature that is wrong is fatal, whatever the others say.
static uint32_t core_signatures(const struct core_env *env, const struct blob_layout *l)
{
    const uint8_t *p = l->bytes + l->at[BLOB_SECTIONS];
    uint32_t good = 0;
    if (l->n_signatures == 0) {
        return CORE_UNSIGNED;
    }
    for (uint32_t i = 0; i < l->n_signatures; i++) {
        uint32_t size = blob_ld32(p + 4);
        const uint8_t *signature = p + BLOB_SIGNATURE_HEAD;
        uint32_t answer =
            env->check(env->flash.ctx, blob_ld32(p), p + 8, l->bytes, signature, size);
        if (answer == CORE_SIGNATURE_GOOD) {
            good++;
        } else if (answer != CORE_SIGNATURE_FOREIGN) {
            return CORE_BAD_SIGNATURE;
        }
        p = signature + size;
    }
    return good != 0 && good >= env->required ? CORE_VERIFIED : CORE_UNTRUSTED;
}

static uint32_t core_sections(const struct core_env *env, struct blob_layout *l)
{
    uint8_t digest[BLOB_DIGEST];
    for (unsigned i = 0; i < BLOB_SECTIONS; i++) {
        const uint8_t *entry = l->bytes + BLOB_AT_SECTIONS + i * BLOB_SECTION_ENTRY;
        env->hash_begin(env->flash.ctx);
        env->flash.hash(env->flash.ctx, l->bytes + l->at[i], l->at[i + 1] - l->at[i]);
        env->hash_end(env->flash.ctx, digest);
        if (!blob_equal(digest, entry + BLOB_SECTION_SHA256, BLOB_DIGEST)) {
            l->fault_at = i;
            return CORE_ALTERED_PAYLOAD;
        }
    }
    return CORE_VERIFIED;
}

uint32_t core_blob(const struct core_env *env, const uint8_t *blob, uint32_t available,
                   struct blob_layout *l)
{
    if (blob_layout_read(blob, available, l) != BLOB_SOUND) {
        return CORE_MALFORMED;
    }
    uint32_t answer = core_signatures(env, l);
    if (answer != CORE_VERIFIED) {
        return answer;
    }
    if (blob_ld64(blob + BLOB_AT_COUNTER) < env->min_counter) {
        return CORE_ROLLED_BACK;
    }
    return core_sections(env, l);
}

uint32_t core_space(const struct core_env *env, const struct blob_layout *l)
{
    uint8_t digest[BLOB_DIGEST];
    env->hash_begin(env->flash.ctx);
    int walked = blob_walk(l, 1, &env->flash);
    env->hash_end(env->flash.ctx, digest);
    return walked && blob_equal(digest, l->bytes + BLOB_AT_BASE_SPACE, BLOB_DIGEST)
               ? CORE_VERIFIED
               : CORE_ALTERED_BASE;
}

uint32_t core_verify(const struct core_env *env, const uint8_t *blob, uint64_t address,
                     uint32_t available)
{
    struct blob_layout l;
    uint32_t answer = core_blob(env, blob, available, &l);
    if (answer != CORE_VERIFIED) {
        return answer;
    }
    return l.addr == address ? core_space(env, &l) : CORE_MALFORMED;
}
