#include "tests/lib/shapes.h"

#include <stdio.h>
#include <string.h>

const struct shape shapes[] = {
    // Scopes.
    {"lambdas", "", "lambda:0\n", ""},
    {"lambdas with arguments", "", "f = lambda a, b=1: a + b\n", ""},
    {"comprehensions", "", "[i for i in x]\n", ""},
    {"dict comprehensions", "", "x = {k: v for k, v in y if k}\n", ""},
    {"generator expressions", "", "f(i for i in x)\n", ""},
    {"comprehensions in comprehensions", "", "[[j for j in i] for i in x]\n", ""},
    {"lambdas in lambdas", "", "lambda a:lambda b:lambda:a+b\n", ""},
    {"tiny functions", "", "def f():0\n", ""},
    {"functions of one line", "", "def f$(a): return a\n", ""},
    {"functions in functions", "", "def f(a):\n def g(b):\n  def h(c): return a+b+c\n", ""},
    {"generators", "", "def f():\n yield\n", ""},
    {"async functions", "", "async def f():\n await g()\n", ""},
    {"tiny classes", "", "class A:0\n", ""},
    {"classes of one line", "", "class A$(B): x = 1\n", ""},
    {"classes with methods", "", "class A$:\n def f(self): self.x = $\n def g(self): pass\n", ""},
    {"decorators", "", "@a\n@b.c($)\ndef f(): pass\n", ""},
    {"annotations", "", "def f(a: int, b: str = '') -> None: c: int = 1\n", ""},
    {"star arguments", "", "def f(*a, **b): g(*a, c=1, **b)\n", ""},
    {"many parameters", "", "def f(a,b,c,d,e,f,g,h,i=1,j=2,*,k,l=3):0\n", ""},
    {"super", "", "class A(B):\n def f(self): super().f()\n", ""},
    // Statements.
    {"passes", "", "pass\n", ""},
    {"names", "", "a\n", ""},
    {"statements in one line", "", "a;", "\n"},
    {"assignments", "", "a=b\n", ""},
    {"many names", "", "name_$ = $\n", ""},
    {"short names", "", "x$=y$\n", ""},
    {"chained assignments", "a=", "b=", "c\n"},
    {"unpacking", "", "a,b=c\n", ""},
    {"imports", "", "import a\n", ""},
    {"many imports", "", "from m$ import a$ as b$, c\n", ""},
    {"ifs", "", "if a:b\n", ""},
    {"an elif", "if a:b\n", "elif a:b\n", ""},
    {"whiles", "", "while a:b\n", ""},
    {"fors", "", "for a in b:c\n", ""},
    {"for ranges", "", "for a in range(9):c\n", ""},
    {"tries", "", "try:a\nexcept:b\n", ""},
    {"finallies", "", "try:a\nfinally:b\n", ""},
    {"handlers", "try:a\n", "except A as e:b\n", ""},
    {"withs", "", "with a as b:c\n", ""},
    {"asserts", "", "assert a,b\n", ""},
    {"deletions", "", "del a\n", ""},
    {"globals", "", "def f():\n global a\n a=1\n", ""},
    {"returns", "def f():\n", " return\n", ""},
    {"breaks", "while 1:\n", " if a:break\n", ""},
    {"locals", "def f():\n", " v$=$\n", ""},
    // Expressions.
    {"calls", "", "f()\n", ""},
    {"calls in a row", "f", "()", "\n"},
    {"attributes", "a", ".b", "\n"},
    {"many attributes", "a", ".b$", "\n"},
    {"methods", "", "a.b(c)\n", ""},
    {"keyword arguments", "f(", "a=1,", ")\n"},
    {"arguments", "f(", "a,", ")\n"},
    {"subscripts", "", "a[0]\n", ""},
    {"slices", "", "a[1:2]\n", ""},
    {"a sum", "a", "+a", "\n"},
    {"operators", "x = a", " * b$ - c", "\n"},
    {"comparisons", "a", "<a", "\n"},
    {"ands", "a", " and a", "\n"},
    {"ternaries", "", "a if b else c\n", ""},
    {"nots", "", "x=not a\n", ""},
    {"walruses", "", "(a:=b)\n", ""},
    {"f-strings", "", "f'{a}{b!r}'\n", ""},
    {"long f-strings", "", "x = f'some {value} of {other.name:>10} in {d[$]}'\n", ""},
    {"an f-string", "x=f'", "{a}", "'\n"},
    // Constants.
    {"a list of digits", "x=[", "1,", "]\n"},
    {"a list of ints", "x=[", "1$,", "]\n"},
    {"a list of wide ints", "x=[", "30000$,", "]\n"},
    {"a list of big ints", "x=[", "9$00000000000000000000,", "]\n"},
    {"a list of floats", "x=[", ".5,", "]\n"},
    {"different floats", "x=[", "$.5,", "]\n"},
    {"a tuple of digits", "x=(", "1,", ")\n"},
    {"a tuple of ints", "x=(", "1$,", ")\n"},
    {"a tuple of floats", "x=(", "$.5,", ")\n"},
    {"a tuple of strings", "x=(", "'',", ")\n"},
    {"a tuple of tuples", "x=(", "(),", ")\n"},
    {"pairs in a tuple", "x=(", "($,$),", ")\n"},
    {"pairs in a list", "x=[", "($,$),", "]\n"},
    {"pairs", "", "x = $, $\n", ""},
    {"a dict", "x={", "1:2,", "}\n"},
    {"a dict of strings", "x={", "'k$':'v$',", "}\n"},
    {"a set", "x={", "1,", "}\n"},
    {"lists in a list", "x=[", "[],", "]\n"},
    {"short strings", "x=[", "'a',", "]\n"},
    {"different strings", "x=[", "'$',", "]\n"},
    {"strings too long for names", "x=[", "'abcdefghijk$',", "]\n"},
    {"escapes", "x=[", "'\\n\\x41$abcdefghijkl',", "]\n"},
    {"short bytes", "x=[", "b'',", "]\n"},
    {"different bytes", "x=[", "b'$',", "]\n"},
    {"a string", "x='", "text ", "'\n"},
    {"bytes of escapes", "x=b'", "\\x00", "'\n"},
    {"strings in a row", "x=(", "'a' ", ")\n"},
    {"consts", "from micropython import const\n", "C$=const($)\n", ""},
    {"private consts", "from micropython import const\n", "_C$=const($)\n", ""},
    {"folding", "", "x=1+2*3\n", ""},
    {"a folded sum", "x=1", "+1", "\n"},
    {"Nones", "x=[", "None,", "]\n"},
    {"ellipses", "", "...\n", ""},
    // Layout.
    {"empty lines", "", "\n", ""},
    {"comments", "", "#\n", ""},
    {"long comments", "", "    # words that nobody reads but people\n", ""},
    {"a comment", "# ", "comment ", "\n"},
    {"docstrings", "", "def f():\n 'what it does'\n", ""},
    {"long docstrings", "",
     "def f():\n \"\"\"What it does, in words.\n\n Arguments and all.\n \"\"\"\n", ""},
    {"lonely strings", "", "'a'\n", ""},
    {"carriage returns", "", "a\r\n", ""},
    {"tabs", "if a:\n", "\tb\n", ""},
    {"continuation lines", "a", "\\\n+b", "\n"},
    {"brackets over lines", "x=(", "\na,", ")\n"},
    {"white space", "a", " ", "\n"},
    {"form feeds", "", "\f\n", ""},
    {"UTF-8", "", "\xc3\xa4=\xe2\x82\xac\n", ""},
    {NULL, NULL, NULL, NULL},
};

// A $ stands for a number, another one in each item.
static void shape_item(const char *item, unsigned n, struct bytes_out *out)
{
    char number[16];
    int len = snprintf(number, sizeof number, "%u", n);
    for (const char *p = item; *p; p++) {
        if (*p == '$') {
            bytes_put(out, number, (size_t)len);
        } else {
            bytes_put(out, p, 1);
        }
    }
}

void shape_make(const struct shape *s, size_t size, struct bytes_out *out)
{
    bytes_put(out, s->head, strlen(s->head));
    for (unsigned n = 0; out->size < size; n++) {
        shape_item(s->item, n, out);
    }
    bytes_put(out, s->tail, strlen(s->tail));
}
