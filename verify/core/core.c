// Against glitches: what is wrong is kept as a word of which the answer is made (core_answer), the
// answers of all steps are added up, and every no is even, so that a processor that skips a branch
// or a step hardly ever ends with CORE_VERIFIED. These are obstacles, no proof: who must withstand
// glitches verifies twice, as samples/bootloader does. Variables are volatile where a compiler
// would see that the second look is needless.
#include "verify/core/core.h"

#ifdef __GNUC__
__attribute__((noinline))
#endif
static uint32_t
core_answer(uint32_t wrong, uint32_t no)
{
    volatile uint32_t kept = wrong;
    if (kept) {
        return no;
    }
    return CORE_VERIFIED ^ kept;
}

// A trusted key's signature that is wrong is fatal, whatever the others say.
static uint32_t core_signatures(const struct core_env *env, const struct blob_layout *l)
{
    const uint8_t *p = l->bytes + l->at[BLOB_SECTIONS];
    uint32_t good = 0, no = CORE_BAD_SIGNATURE;
    volatile uint32_t wrong = 0;
    if (l->n_signatures == 0) {
        return CORE_UNSIGNED;
    }
    for (uint32_t i = 0; i < l->n_signatures; i++) {
        uint32_t size = blob_ld32(p + 4);
        const uint8_t *signature = p + BLOB_SIGNATURE_HEAD;
        uint32_t answer =
            env->check(env->flash.ctx, blob_ld32(p), p + 8, l->bytes, signature, size);
        if (answer != CORE_SIGNATURE_FOREIGN) {
            wrong |= answer ^ CORE_SIGNATURE_GOOD;
            good++;
        }
        p = signature + size;
    }
    if (wrong) {
        return no;
    }
    if (good == 0 || good < env->required) {
        wrong = no = CORE_UNTRUSTED;
    } else if (good != l->n_signatures && env->others != CORE_OTHERS_ALLOWED) {
        wrong = no = CORE_UNPROVEN;
    } else if (blob_ld64(l->bytes + BLOB_AT_COUNTER) < env->min_counter) {
        wrong = no = CORE_ROLLED_BACK;
    }
    return core_answer(wrong, no);
}

static uint32_t core_sections(const struct core_env *env, struct blob_layout *l)
{
    uint8_t digest[BLOB_DIGEST];
    volatile uint32_t wrong = BLOB_SECTIONS; // sections that are not proven yet
    for (unsigned i = 0; i < BLOB_SECTIONS && wrong + i == BLOB_SECTIONS; i++) {
        const uint8_t *entry = l->bytes + BLOB_AT_SECTIONS + i * BLOB_SECTION_ENTRY;
        l->fault_at = i;
        env->hash_begin(env->flash.ctx);
        env->flash.hash(env->flash.ctx, l->bytes + l->at[i], l->at[i + 1] - l->at[i]);
        env->hash_end(env->flash.ctx, digest);
        wrong += blob_differs(digest, entry + BLOB_SECTION_SHA256, BLOB_DIGEST) - 1;
    }
    return core_answer(wrong, CORE_ALTERED_PAYLOAD);
}

uint32_t core_blob(const struct core_env *env, const uint8_t *blob, uint32_t available,
                   struct blob_layout *l)
{
    volatile uint32_t sum = 0u - CORE_VERIFIED; // two steps
    if (blob_layout_read(blob, available, l) != BLOB_SOUND) {
        return CORE_MALFORMED;
    }
    uint32_t answer = core_signatures(env, l);
    sum += answer;
    if (answer == CORE_VERIFIED) {
        answer = core_sections(env, l);
        sum += answer;
    }
    return answer == CORE_VERIFIED ? sum : answer & ~1u;
}

uint32_t core_space(const struct core_env *env, const struct blob_layout *l)
{
    uint8_t digest[BLOB_DIGEST];
    env->hash_begin(env->flash.ctx);
    uint32_t wrong = blob_walk(l, 1, &env->flash);
    env->hash_end(env->flash.ctx, digest);
    wrong |= blob_differs(digest, l->bytes + BLOB_AT_BASE_SPACE, BLOB_DIGEST);
    return core_answer(wrong, CORE_ALTERED_BASE);
}

uint32_t core_verify(const struct core_env *env, const uint8_t *blob, uint64_t address,
                     uint32_t available)
{
    struct blob_layout l;
    volatile uint32_t sum = 0u - 2 * CORE_VERIFIED; // three steps
    uint32_t answer = core_blob(env, blob, available, &l);
    sum += answer;
    if (answer == CORE_VERIFIED) {
        answer = core_answer((uint32_t)(l.addr ^ address) | (uint32_t)((l.addr ^ address) >> 32),
                             CORE_MALFORMED);
        sum += answer;
    }
    if (answer == CORE_VERIFIED) {
        answer = core_space(env, &l);
        sum += answer;
    }
    return answer == CORE_VERIFIED ? sum : answer & ~1u;
}
