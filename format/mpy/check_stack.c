#include "format/mpy/check_stack.h"

#include <string.h>

enum { CHECK_JOIN_DEPTH = 64 }; // paths that meet differ in their topmost entries only

const struct check_slot check_bottom = {.jump = &check_bottom};

static bool check_is_finally(const struct check_slot *s)
{
    return s->kind == CHECK_FINALLY || s->kind == CHECK_ENTERED;
}

// jump follows the pattern of skew-binary numbers: any entry is O(log) steps away.
const struct check_slot *check_push(struct check_work *w, const struct check_slot *below, char kind,
                                    uint32_t detail, const void *owner)
{
    if (w->left == 0) {
        return NULL;
    }
    w->left--;
    struct check_slot *s = arena_alloc(w->arena, sizeof *s);
    if (!s) {
        w->nomem = true;
        return NULL;
    }
    *s = (struct check_slot){.below = below, .owner = owner, .detail = detail, .kind = kind};
    bool finally = check_is_finally(s);
    s->index = below->index + 1;
    s->depth = below->depth + (finally ? 2 : 1);
    s->low = below->low + 1;
    s->finallies = below->finallies + finally;
    const struct check_slot *j = below->jump;
    bool skip = below->index - j->index == j->index - j->jump->index && j->index;
    s->jump = skip ? j->jump : below;
    return s;
}

const struct check_slot *check_down(const struct check_slot *s, uint32_t index)
{
    while (s->index > index) {
        s = s->jump->index >= index ? s->jump : s->below;
    }
    return s;
}

static bool check_among(const struct check_slot *s, const char *kinds)
{
    return s->kind != CHECK_BOTTOM && strchr(kinds, s->kind);
}

bool check_fits(const struct check_slot *a, const struct check_slot *b)
{
    if (a->kind == b->kind) {
        return a->detail == b->detail && a->owner == b->owner;
    }
    switch (b->kind) {
    case CHECK_ANY:
        return check_among(a, "NqtldsceMk");
    case CHECK_SELF:
        return check_among(a, "vNqtldsceMk0");
    case CHECK_FINALLY:
        return a->kind == CHECK_NONE || a->kind == CHECK_EXC ||
               (a->kind == CHECK_ENTERED && a->owner == b->owner);
    default:
        return false;
    }
}

// The two entries of a resumption are one CHECK_FINALLY.
bool check_is_resume(const struct check_slot *s)
{
    return s->kind == CHECK_RESUME_2 && s->below->kind == CHECK_RESUME_1 &&
           s->below->owner == s->owner;
}

bool check_stack_fits(struct check_work *w, const struct check_slot *a, const struct check_slot *b)
{
    for (; a != b; a = a->below, b = b->below) {
        if (a->kind == CHECK_BOTTOM || b->kind == CHECK_BOTTOM || w->left == 0) {
            return false;
        }
        w->left--;
        if (b->kind == CHECK_FINALLY && check_is_resume(a) && a->owner == b->owner) {
            a = a->below;
        } else if (!check_fits(a, b)) {
            return false;
        }
    }
    return true;
}

static const struct check_slot *check_join_at(struct check_work *w, const struct check_slot *a,
                                              const struct check_slot *b, unsigned level);

static const struct check_slot *check_join_as(struct check_work *w, const struct check_slot *a,
                                              const struct check_slot *b, unsigned level, char kind,
                                              uint32_t detail, const void *owner)
{
    const struct check_slot *below = check_join_at(w, a, b, level + 1);
    return below ? check_push(w, below, kind, detail, owner) : NULL;
}

static bool check_may_be_finally(const struct check_slot *s)
{
    return check_is_finally(s) || s->kind == CHECK_NONE || s->kind == CHECK_EXC ||
           check_is_resume(s);
}

// Both are something a finally handler can end with; at least one says for which handler.
static const struct check_slot *check_join_finally(struct check_work *w, const struct check_slot *a,
                                                   const struct check_slot *b, unsigned level)
{
    if (a->owner && b->owner && a->owner != b->owner) {
        return NULL;
    }
    const void *owner = a->owner ? a->owner : b->owner;
    const struct check_slot *below_a = check_is_resume(a) ? a->below->below : a->below;
    const struct check_slot *below_b = check_is_resume(b) ? b->below->below : b->below;
    return check_join_as(w, below_a, below_b, level, CHECK_FINALLY, 0, owner);
}

static const struct check_slot *check_join_at(struct check_work *w, const struct check_slot *a,
                                              const struct check_slot *b, unsigned level)
{
    if (a == b) {
        return a;
    }
    if (a->kind == CHECK_BOTTOM || b->kind == CHECK_BOTTOM || level > CHECK_JOIN_DEPTH) {
        return NULL;
    }
    struct check_slot any = {.kind = CHECK_ANY}, self = {.kind = CHECK_SELF};
    if (check_fits(a, b)) {
        return check_join_as(w, a->below, b->below, level, b->kind, b->detail, b->owner);
    }
    if (check_fits(b, a)) {
        return check_join_as(w, a->below, b->below, level, a->kind, a->detail, a->owner);
    }
    if (check_may_be_finally(a) && check_may_be_finally(b) && (a->owner || b->owner)) {
        return check_join_finally(w, a, b, level);
    }
    if (check_fits(a, &any) && check_fits(b, &any)) {
        return check_join_as(w, a->below, b->below, level, CHECK_ANY, 0, NULL);
    }
    if (check_fits(a, &self) && check_fits(b, &self)) {
        return check_join_as(w, a->below, b->below, level, CHECK_SELF, 0, NULL);
    }
    return NULL;
}

const struct check_slot *check_join(struct check_work *w, const struct check_slot *a,
                                    const struct check_slot *b)
{
    return check_join_at(w, a, b, 0);
}
