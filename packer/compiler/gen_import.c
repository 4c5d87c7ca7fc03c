// import and from ... import.
#include "packer/compiler/codegen.h"

// The text of a dotted name, interned.
static uint32_t gen_join_dotted(struct codegen *c, node n)
{
    struct unit *u = c->u;
    struct text t = {0};
    for (uint32_t i = 0; i < node_count(c->ast, n); i++) {
        const struct name *part = name_at(&u->names, node_arg(gen_child(c, n, i)));
        if (i > 0) {
            text_byte(u, &t, '.');
        }
        text_put(u, &t, part->data, part->len);
    }
    char *joined = arena_dup(&u->work, t.at, t.n);
    size_t len = t.n;
    text_free(c->u, &t);
    return name_intern(u, joined, len);
}

// Emits the import of name n and returns the name it is bound to: the alias, or the first part.
static uint32_t gen_import(struct codegen *c, node n)
{
    uint32_t alias = 0;
    if (node_is(c->ast, n, NODE_DOTTED_AS)) {
        alias = node_arg(gen_child(c, n, 1));
        n = gen_child(c, n, 0);
    }
    if (n == NODE_NULL) { // from . import x
        gen_name(c, IR_IMPORT_NAME, NAMES_EMPTY);
        return NAMES_EMPTY;
    }
    if (node_is_id(n)) {
        gen_name(c, IR_IMPORT_NAME, node_arg(n));
        return alias ? alias : node_arg(n);
    }
    gen_name(c, IR_IMPORT_NAME, gen_join_dotted(c, n));
    if (!alias) {
        return node_arg(gen_child(c, n, 0));
    }
    for (uint32_t i = 1; i < node_count(c->ast, n); i++) {
        gen_name(c, IR_LOAD_ATTR, node_arg(gen_child(c, n, i)));
    }
    return alias;
}

void gen_import_name(struct codegen *c, node n)
{
    const node *items;
    node names = gen_child(c, n, 0);
    uint32_t count = node_list(c->ast, &names, NODE_DOTTED_AS_NAMES, &items);
    for (uint32_t i = 0; i < count; i++) {
        gen_int(c, 0);
        gen(c, IR_LOAD_NONE);
        gen_store(c, gen_import(c, items[i]));
    }
}

// Takes the dots of a relative import off the source, and counts them.
static uint32_t gen_import_level(struct codegen *c, node *source)
{
    node dots;
    if (node_is(c->ast, *source, NODE_IMPORT_DOTS)) {
        dots = gen_child(c, *source, 0);
        *source = gen_child(c, *source, 1);
    } else if (node_tag(*source) == NODE_TAG_TOKEN || node_is(c->ast, *source, NODE_DOTS)) {
        dots = *source;
        *source = NODE_NULL;
    } else {
        return 0;
    }
    const node *items;
    uint32_t count = node_list(c->ast, &dots, NODE_DOTS, &items), level = 0;
    for (uint32_t i = 0; i < count; i++) {
        level += node_is_token(items[i], TOKEN_PERIOD) ? 1 : 3;
    }
    return level;
}

static void gen_import_star(struct codegen *c, node n, node source, uint32_t level)
{
    if (gen_scope(c)->kind != SCOPE_MODULE) {
        gen_error(c, n, "import * not at module level");
        return;
    }
    gen_int(c, level);
    gen_name(c, IR_LOAD_CONST_STRING, gen_known(c, NAME_STAR));
    gen_build(c, IR_TUPLE, 1);
    gen_import(c, source);
    gen(c, IR_IMPORT_STAR);
}

void gen_import_from(struct codegen *c, node n)
{
    node source = gen_child(c, n, 0), what = gen_child(c, n, 1);
    uint32_t level = gen_import_level(c, &source);
    if (node_is_token(what, TOKEN_STAR)) {
        gen_import_star(c, n, source, level);
        return;
    }
    const node *items;
    uint32_t count = node_list(c->ast, &what, NODE_IMPORT_AS_NAMES, &items);
    gen_int(c, level);
    for (uint32_t i = 0; i < count; i++) {
        gen_name(c, IR_LOAD_CONST_STRING, node_arg(gen_child(c, items[i], 0)));
    }
    gen_build(c, IR_TUPLE, count);
    gen_import(c, source);
    for (uint32_t i = 0; i < count; i++) {
        node name = gen_child(c, items[i], 0), alias = gen_child(c, items[i], 1);
        gen_name(c, IR_IMPORT_FROM, node_arg(name));
        gen_store(c, node_arg(alias == NODE_NULL ? name : alias));
    }
    gen(c, IR_POP_TOP);
}
