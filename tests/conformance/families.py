"""Further families of generated programs: each a function of a random source that returns a script.
They go where the grammar walk of generate.py seldom gets."""

LETTERS = "abcdefgh"


class Writer:
    """Statements of a small vocabulary, nested at will, with an indentation of its own."""

    def __init__(self, rng):
        self.rng = rng
        self.unit = rng.choice(["    ", "  ", " ", "\t", "        "])

    def name(self):
        return self.rng.choice(LETTERS)

    def body(self, depth, level, context):
        lines = []
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            lines += self.statement(depth, level, context)
        return lines

    def line(self, level, text):
        return [self.unit * level + text]

    def simple(self, context):
        n = self.name
        choices = [f"{n()} = {n()}", f"{n()}({n()})", f"{n()}.{n()} = {n()}", f"del {n()}", "pass",
                   f"{n()}[{n()}] += {n()}", f"{n()}, {n()} = {n()}, {n()}", "raise",
                   f"raise {n()} from {n()}", f"({n()}, *{n()}) = {n()}", f"*{n()}, {n()} = {n()}",
                   f"[{n()}, ({n()}, {n()})] = {n()}", f"assert {n()}, {n()}",
                   f"del {n()}.{n()}, {n()}[{n()}], {n()}[{n()}:{n()}]", f"del ({n()}, [{n()}])",
                   f"del {n()},", f"{n()} = {n()} = {n()}.{n()} = {n()}",
                   f"print({n()}, *{n()}, {n()}={n()}, **{n()})", f"{n()}: {n()} = {n()}",
                   f"{n()} if {n()} < {n()} <= {n()} != {n()} else {n()} is not {n()}",
                   f"{n()} not in {n()} in {n()}", f"not {n()} == {n()} > {n()}",
                   f"import {n()}.{n()} as {n()}, {n()}", f"from ..{n()} import ({n()}, {n()} as {n()},)",
                   f"{n()} @= {n()}; {n()} //= 2; {n()} **= {n()}; {n()} >>= 1"]
        if context["function"]:
            choices += [f"return {n()}", "return", f"yield {n()}", f"{n()} = yield", f"yield from {n()}",
                        f"return {n()} and {n()} or {n()}", f"return ({n()}, {n()})",
                        f"return [{n()} for {n()} in {n()} if {n()}]"] * 2
        if context["async"]:
            choices += [f"await {n()}", f"{n()} = await {n()}({n()})", f"return await {n()}.{n()}()",
                        f"await {n()}[{n()}]", f"{n()}(await {n()}, await {n()})"] * 2
        if context["loop"]:
            choices += ["break", "continue"] * 8
        return self.rng.choice(choices)

    def declarations(self, level, context):
        r = self.rng
        lines = []
        for _ in range(r.choice([0, 0, 0, 1, 2])):
            kind = r.choice(["global", "nonlocal"]) if context["function"] > 1 else "global"
            lines += self.line(level, f"{kind} " + ", ".join(r.sample(LETTERS, r.randrange(1, 3))))
        return lines

    def parameters(self):
        r = self.rng
        names = r.sample(LETTERS, r.randrange(0, 5))
        k = r.randrange(len(names) + 1)
        parts = names[:k] + [f"{x}={r.choice(['1', 'None', 'a', '()', 'lambda: 0', '[]'])}" for x in names[k:]]
        if r.random() < 0.4:
            parts.append(r.choice(["*rest", "*", "*rest: int"]))
            parts += [f"k{i}" + r.choice(["", "=1", ": str", ": int = 2", "=b"])
                      for i in range(r.randrange(1, 4))]
        if r.random() < 0.2:
            parts.append("**kw")
        return ", ".join(parts) + ("," if parts and r.random() < 0.1 else "")

    def function(self, depth, level, context):
        r = self.rng
        inner = dict(context, function=context["function"] + 1, loop=0)
        inner["async"] = r.random() < 0.3
        lines = []
        for _ in range(r.choice([0, 0, 0, 1, 2])):
            lines += self.line(level, "@" + r.choice(["a", "a.b.c", "a(b)", "a.b(c, d=1)", "property",
                                                      "micropython.bytecode"]))
        lines += self.line(level, ("async " if inner["async"] else "") +
                           f"def {self.name()}({self.parameters()})" + r.choice(["", "", " -> a"]) + ":")
        lines += self.declarations(level + 1, inner)
        return lines + self.body(depth - 1, level + 1, inner)

    def trying(self, depth, level, context):
        r = self.rng
        lines = self.line(level, "try:") + self.body(depth - 1, level + 1, context)
        handlers = r.choice([0, 1, 1, 2, 3])
        for i in range(handlers):
            last = i == handlers - 1
            what = r.choice(["", " a", " (a, b)", " a as b", " a.b as c"] if last
                            else [" a", " (a, b) as c", " a as e"])
            lines += self.line(level, f"except{what}:") + self.body(depth - 1, level + 1, context)
        if handlers and r.random() < 0.3:
            lines += self.line(level, "else:") + self.body(depth - 1, level + 1, context)
        if not handlers or r.random() < 0.4:
            lines += self.line(level, "finally:") + self.body(depth - 1, level + 1, context)
        return lines

    def statement(self, depth, level, context):
        r = self.rng
        if depth <= 0 or r.random() < 0.25:
            return self.line(level, self.simple(context))
        looped = dict(context, loop=1)
        n = self.name
        kind = r.choice(["if", "while", "for", "try", "try", "with", "def", "class", "for", "async"])
        if kind == "try":
            return self.trying(depth, level, context)
        if kind == "def":
            return self.function(depth, level, context)
        if kind == "class":
            inner = dict(context, loop=0, function=0)
            inner["async"] = False
            return self.line(level, f"class {n()}" + r.choice(["", "()", "(a)", "(a, b)", "(a, b=c)"]) + ":") \
                + self.body(depth - 1, level + 1, inner)
        if kind == "if":
            lines = self.line(level, f"if {self.condition()}:") + self.body(depth - 1, level + 1, context)
            for _ in range(r.choice([0, 0, 1, 2])):
                lines += self.line(level, f"elif {self.condition()}:")
                lines += self.body(depth - 1, level + 1, context)
        elif kind == "while":
            lines = self.line(level, f"while {self.condition()}:") + self.body(depth - 1, level + 1, looped)
        elif kind == "with" or (kind == "async" and context["async"] and r.random() < 0.5):
            items = ", ".join(r.choice(["a", "a as b", "a() as (b, c)", "a.b as c.d", "a as b[c]"])
                              for _ in range(r.choice([1, 1, 2, 3])))
            head = "async with " if kind == "async" else "with "
            return self.line(level, head + items + ":") + self.body(depth - 1, level + 1, context)
        else:
            head = "async for " if kind == "async" and context["async"] else "for "
            target = r.choice(["a", "a, b", "a, *b", "(a, b), c", "a.b", "a[0]", "[a, b]"])
            source = r.choice(["a", "b()", "range(9)", "range(1, a)", "range(9, 0, -1)", "range(a, b, 2)",
                               "range(0, 9, a)", "1, 2, 3", "(a, b)", "range(*a)", "[]", "a if b else c"])
            lines = self.line(level, f"{head}{target} in {source}:")
            lines += self.body(depth - 1, level + 1, looped)
        if r.random() < 0.25:
            lines += self.line(level, "else:") + self.body(depth - 1, level + 1, context)
        return lines

    def condition(self):
        n = self.name
        return self.rng.choice([n(), f"not {n()}", f"{n()} and {n()}", f"{n()} or not {n()}", "True", "0",
                                f"not ({n()} or {n()} and {n()})", f"({n()} := {n()})", f"{n()} < {n()} < 3",
                                "1", "()", "''", "None", "not 1", "1 and a", "0 or a", "__debug__",
                                f"({n()} and {n()}) or ({n()} and not {n()})", "2 ** 3", "'a' 'b'", "..."])


def blocks(rng):
    w = Writer(rng)
    context = {"function": 0, "async": False, "loop": 0}
    lines = []
    for _ in range(rng.randrange(1, 4)):
        lines += w.statement(rng.randrange(1, 5), 0, context) if rng.random() < 0.4 else \
            w.function(rng.randrange(1, 5), 0, context)
    return "\n".join(lines) + "\n"


def closures(rng):
    """Functions, classes, lambdas and comprehensions that use each other's names."""
    names = "abcde"

    def inside(level, depth, function):
        pad, out = " " * level, []
        for name in rng.sample(names, rng.randrange(0, 3)):
            if function > 1 and rng.random() < 0.3:
                out.append(f"{pad}{rng.choice(['nonlocal', 'global'])} {name}")
            elif rng.random() < 0.2:
                out.append(f"{pad}global {name}")
        for _ in range(rng.randrange(1, 4)):
            x, y, z = (rng.choice(names) for _ in range(3))
            out.append(pad + rng.choice([f"{x} = {y}", f"{x}({y})", f"{x} += {y}", f"del {x}", f"{x}",
                                         f"for {x} in {y}: {z}", f"{x} = lambda {y}={z}: {x}, {y}",
                                         f"{x} = [{y} for {y} in {z} if {x}]", f"import {x}",
                                         f"{x} = {{{y}: {z} for {y}, {z} in {x}}}",
                                         f"({x} for {y} in {z} for {x} in {y})",
                                         f"[({x} := {y}) for {z} in {y}]", f"class {x}: {y} = {z}",
                                         f"{x} = lambda *{y}, **{z}: (lambda: {x} + {y})",
                                         f"with {x} as {y}: {z}", f"super().{x}({y})", f"super({x}, {y})",
                                         f"try: {x}\n{pad}except {y} as {z}: {x}"]))
            if depth > 0 and rng.random() < 0.6:
                if rng.random() < 0.25:
                    out.append(f"{pad}class {rng.choice(names)}({rng.choice(['', x])}):")
                    out += inside(level + 1, depth - 1, 0 if not function else 1)
                else:
                    args = rng.sample(names, rng.randrange(0, 3))
                    tail = rng.choice(["", ", *v", ", **w", ", *, k", ", *v, k=a, **w"])
                    out.append(f"{pad}def {rng.choice(names)}({', '.join(args) + tail if args else tail[2:]}):")
                    out += inside(level + 1, depth - 1, function + 1)
        return out

    return "\n".join(inside(0, rng.randrange(1, 6), 0)) + "\n"


def templates(rng):
    """f-strings and t-strings in each other, with all that may stand between the braces."""

    def expression(depth, quote):
        other = '"' if quote == "'" else "'"
        return rng.choice([
            lambda: "a", lambda: "a.b", lambda: "a()", lambda: "a(1, b=2)", lambda: "a[0]", lambda: " a ",
            lambda: "a, b", lambda: "a,", lambda: f"a[{other}k{other}]", lambda: f"{other}s{other}",
            lambda: "{1: 2}[1]", lambda: "[x for x in y]", lambda: "(a if b else c)", lambda: "a != b",
            lambda: "a == b", lambda: "a <= b", lambda: "lambda: 1", lambda: "(lambda x: x)(1)",
            lambda: "(yield)", lambda: "await a", lambda: "a:=1", lambda: "(a:=1)", lambda: "*a",
            lambda: "a\n+b", lambda: "not a", lambda: "-1", lambda: "1.5", lambda: "0x1f", lambda: "a and b",
            lambda: "{{1}}", lambda: "a[1:2]", lambda: "é", lambda: "a#b", lambda: "'}'", lambda: "", lambda: " ",
            lambda: literal(depth - 1, other) if depth else "a", lambda: literal(depth - 1, quote) if depth else "b",
        ])()

    def replacement(depth, quote):
        text = "{" + expression(depth, quote) + rng.choice(["", "", "", "=", " = ", "=="])
        text += rng.choice(["", "", "", "!r", "!s", "!a", "! r", "!x"])
        text += rng.choice(["", "", "", ":", ":>10", ":{w}", ":{w}.{p}f", ":>{w!r}", ":{{}}", ":{a:{b}}",
                            ":%Y-%m", ":\\n", ":'", ":}}"])
        return text + rng.choice(["}"] * 15 + ["", "}}"])

    def literal(depth, quote=None):
        quote = quote or rng.choice(["'", '"', "'''", '"""'])
        prefix = rng.choice(["f", "f", "f", "rf", "fr", "t", "t", "rt", "tr", "F", "T", "fb", "u", "b", "r", ""])
        parts = []
        for _ in range(rng.randrange(0, 4)):
            parts.append(rng.choice([
                lambda: replacement(depth, quote[0]), lambda: replacement(depth, quote[0]),
                lambda: rng.choice(["text", " ", "{{", "}}", "{{}}", "\\n", "\\{", "\\x41", "é", "\\\\", "%s", "#",
                                    "\\N{DASH}", "}", "\\u00e9", "\\'", "\n" if len(quote) > 1 else "\\\n"])])())
        return prefix + quote + "".join(parts) + quote

    lines = []
    for i in range(rng.choice([1, 1, 2, 5])):
        text = rng.choice([" ", "\n", "", " \\\n"]).join(literal(rng.randrange(0, 3))
                                                      for _ in range(rng.choice([1, 1, 1, 2, 3])))
        lines.append(rng.choice([f"x = ({text})", f"f({text}, 1)", f"x = [{text}]", f"({text})", f"x = {text}",
                                 f"def f():\n  return ({text})", f"if ({text}): y", f"x = ({text}).y[0]"]))
    return "\n".join(lines) + rng.choice(["\n", "\n", "", " ", "\\"])


def forms(rng):
    """Numbers of all spellings, right and wrong."""
    digits = lambda n, s="0123456789": "".join(rng.choice(s) for _ in range(rng.randrange(1, n)))

    def number():
        text = rng.choice([
            lambda: digits(25), lambda: "0x" + digits(20, "0123456789abcdefABCDEF"), lambda: "0b" + digits(70, "01"),
            lambda: "0o" + digits(25, "01234567"), lambda: digits(4) + "." + digits(20),
            lambda: "." + digits(30), lambda: digits(30) + ".", lambda: digits(3) + "e" + digits(4),
            lambda: digits(20) + "." + digits(20) + "e-" + digits(4), lambda: "0" * rng.randrange(1, 5) + digits(4),
            lambda: "1" + "0" * rng.randrange(15, 40), lambda: "0." + "0" * rng.randrange(1, 330) + digits(20),
            lambda: digits(400), lambda: "1e" + str(rng.randrange(300, 312)), lambda: "4.94065645841246544e-324",
            lambda: "1.7976931348623157e308", lambda: "2.2250738585072014e-308", lambda: "1.797693134862315" + digits(9) + "e308",
            lambda: digits(18) + "." + digits(3) + "e" + str(rng.randrange(-340, 320)),
            lambda: repr(rng.random() * 10.0 ** rng.randrange(-300, 300)), lambda: str(rng.getrandbits(64)),
            lambda: repr(rng.getrandbits(53) / 2 ** rng.randrange(60)), lambda: str(2 ** rng.randrange(54) + rng.randrange(3)) + ".0"])()
        for _ in range(rng.choice([0, 0, 0, 0, 1, 2])):
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice(["_", "_", "__", "e", "j", ".", "x", "E+", "-", "L", "0x", "J", "_e", "i"]) + text[at:]
        return text + rng.choice([""] * 8 + ["j", "J", "if a else b", "or a", "L", ".real", "_", "__x"])

    return "".join(rng.choice([f"x = {number()}\n", f"x = -{number()}\n", f"f({number()}, {number()})\n",
                               f"x = {number()} + {number()}\n", f"x[{number()}:{number()}]\n", f"({number()},)\n",
                               f"_x = const({number()})\n", f"x = {number()}{number()}\n", f"x = {number()} .a\n"])
                   for _ in range(rng.choice([1, 1, 1, 2, 8])))


def escapes(rng):
    """Escapes in strings and bytes, right and wrong."""

    def piece():
        h = lambda n: "".join(rng.choice("0123456789abcdefABCDEF") for _ in range(n))
        return rng.choice([
            lambda: "\\" + chr(rng.randrange(32, 127)), lambda: "\\x" + h(2), lambda: "\\u" + h(4),
            lambda: "\\U000" + rng.choice("01") + h(4), lambda: "\\" + format(rng.randrange(512), "o"),
            lambda: "\\x" + h(1), lambda: "\\u" + h(3), lambda: "\\U" + h(8), lambda: "\\\n", lambda: "\\\r\n",
            lambda: "a", lambda: "é", lambda: "日", lambda: "😀", lambda: "\t", lambda: "\\N{X}", lambda: "\\0",
            lambda: "\\8", lambda: "'", lambda: '"', lambda: "\x7f", lambda: "\\é", lambda: "\f", lambda: "\\400",
            lambda: "abcdefghijkl", lambda: "\\ud800", lambda: "\\udfff"])()

    lines = []
    for _ in range(rng.choice([1, 1, 2, 4])):
        prefix = rng.choice(["", "", "", "b", "b", "r", "rb", "br", "u", "f", "bu", "ur", "B", "R", "rr"])
        quote = rng.choice(["'", '"', "'''", '"""'])
        lines.append(rng.choice(["x = ", "", "f(", "x = (1, "]) + prefix + quote +
                     "".join(piece() for _ in range(rng.choice([0, 1, 1, 2, 5, 12]))) + quote)
        if lines[-1].startswith(("f(", "x = (")):
            lines[-1] += ")"
    return "\n".join(lines) + "\n"


def identifiers(rng):
    pool = ["é", "日本", "ñandú", "\u200bx", "x\u0301", "\u00a0", "ªb", "𝐱", "\u2028", "x\u00b7", "_é", "é1", "²",
            "\ufeffx", "😀", "x" * rng.choice([9, 10, 11, 254, 255, 256]), "__debug__", "_", "__", "none", "True_",
            "async_", "match", "case", "type", "print", "exec", "nonlocal_", "\u0660", "µ", "ﬁ", "Ω"]
    n = lambda: rng.choice(pool)
    return "\n".join(rng.choice([f"{n()} = {n()}", f"def {n()}({n()}, {n()}=1): return {n()}", f"{n()}.{n()} = 1",
                                 f"f({n()}=1)", f"import {n()}", f"class {n()}: {n()} = 1", f"x = '{n()}'",
                                 f"for {n()} in {n()}: {n()}", f"{n()}: {n()} = 2", f"from {n()} import {n()} as {n()}",
                                 f"match {n()}:\n case {n()}: pass", f"type {n()} = {n()}", f"lambda {n()}: {n()}"])
                     for _ in range(rng.randrange(1, 5))) + "\n"


def breaks(rng):
    """Line ends, blank lines, comments, continuations and indentation of all kinds."""
    text = blocks(rng) if rng.random() < 0.7 else closures(rng)
    lines = text.split("\n")
    for _ in range(rng.choice([1, 1, 2, 4])):
        at = rng.randrange(len(lines))
        lines[at:at] = [rng.choice(["", " ", "\t", "\f", "# c", "   # c", "\\", " \\", "\t\\", "\x0b", "    \f", "\f  x",
                                    "x \\", "x # \\", "(", ")", "'''", "\x00", "\x1a", "\ufeff", "if a:", " \t#", "# é\x00"])]
        at = rng.randrange(len(lines))
        lines[at] = rng.choice([lines[at] + " ", lines[at] + "\\", lines[at] + " # c", lines[at] + ";", lines[at] + "\t",
                                lines[at].replace("    ", "\t"), " " + lines[at], "\f" + lines[at], lines[at] + "\f",
                                lines[at].replace(" ", "  "), lines[at].replace(" ", "\t"), lines[at].replace(" ", " \\\n"),
                                lines[at].replace("(", "(\n"), lines[at].replace(",", ",\n\n# c\n"), lines[at].replace(" = ", "\\\n=\\\n"),
                                lines[at] + "\x00", lines[at].replace("  ", " \t"), lines[at].replace("\t", "        ")])
    end = rng.choice(["\n"] * 4 + ["\r", "\r\n", "\n\r", "\r\r\n"])
    return end.join(lines) + rng.choice(["", end, "\\", "\\\n", " ", "\t", "#", "\f", "\x00", "\n\n\n", "    ", "\r", "\\\r"])


def long_tokens(rng):
    """Tokens and lines of many lengths, so that any buffer ends inside of them."""
    n = rng.choice([1, 7, 15, 16, 17, 19, 20, 21, 31, 32, 33, 60, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1023, 4095,
                    4096, 4097, 20000])
    few = min(n, 250)
    return rng.choice([
        lambda: " " * n + "\nx\n", lambda: "#" * n + "\nx\n", lambda: "x = " + " " * n + "1\n", lambda: "x" * few + "\n",
        lambda: "'" + "a" * n + "'\n", lambda: "x = '" + "a" * n + "'\n", lambda: "x = b'" + "\\x41" * n + "'\n",
        lambda: "x = f'" + "a" * n + "{b}'\n", lambda: "x = f'{" + "b" * few + "}'\n", lambda: "x = f'{a:" + "b" * n + "}'\n",
        lambda: "x = " + "1" * n + "\n", lambda: "x = 0." + "1" * n + "\n", lambda: "x = 1" + "_0" * n + "\n",
        lambda: "x = 0x" + "f" * n + "\n", lambda: "(" * few + "1" + ")" * few + "\n", lambda: "x = a" + ".b" * n + "\n",
        lambda: "if a:\n" + " " * n + "b\n" + " " * n + "c\n", lambda: "if a:\n" + "\t" * n + "b\n", lambda: "\n" * n + "x\n",
        lambda: "x\n" + "\n" * n + "y\n", lambda: "\\\n" * n + "x\n", lambda: "x = (" + "\n" * n + "1)\n", lambda: ";" * n,
        lambda: "x;" * n + "\n", lambda: "'''" + "\n" * n + "'''\n", lambda: "x = '''" + "\r\n" * n + "'''; y\n",
        lambda: "x = '" + "é" * n + "'\n", lambda: "x = t'" + "a" * n + "{b}" * min(n, 70) + "'\n",
        lambda: "x = [" + "1," * n + "]\n", lambda: "x = {" + "1:2," * n + "}\n", lambda: "x = {" + "a," * n + "}\n",
        lambda: "x = {" + "'a':b," * n + "}\n", lambda: "x = (" + "'s'," * n + ")\n", lambda: "f(" + "a=1," * few + ")\n",
        lambda: "x = (" + "1.5," * n + ")\n", lambda: "x = (" + "(1,2)," * n + ")\n", lambda: "a = " * n + "b\n",
        lambda: "x = " + "a if b else " * few + "c\n", lambda: "x = " + "a < " * n + "b\n", lambda: "x = " + "-" * few + "1\n",
        lambda: "x = " + "not " * few + "a\n", lambda: "x = " + "1 + " * n + "1\n", lambda: "x = " + "'a' " * n + "\n",
        lambda: "x = " + "a or " * n + "b\n", lambda: "global " + ", ".join(f"v{i}" for i in range(n)) + "\n",
        lambda: "del " + ", ".join(f"v{i}" for i in range(n)) + "\n", lambda: "with " + ", ".join(["a"] * few) + ": pass\n",
        lambda: "@a\n" * few + "def f(): pass\n", lambda: "import " + ".".join(["a"] * few) + "\n",
        lambda: "from " + "." * few + "a import b\n", lambda: "try: a\n" + "except b: c\n" * few,
        lambda: "x = [a" + " for a in b" * min(n, 60) + "]\n", lambda: "x = [a for a in b" + " if c" * few + "]\n",
        lambda: "x = " + "lambda: " * min(n, 200) + "1\n", lambda: "return\n" * n, lambda: "x = a" + "[1:2]" * few + "\n"])()


def raw_bytes(rng):
    """Bytes that are no UTF-8, or end things, in strings, f-strings, names, comments and layout."""
    def piece():
        return rng.choice([b"\xff", b"\xff\xff", b"\0", b"\xfe", b"\xc3", b"\xef\xbb\xbf", b"\x1a", b"\r", b"\f",
                           b"\\", b"\n", b"a", b"{", b"}", b"(", b")", b",", b":", b"!r", b"#", b"+", b"'x'",
                           bytes([rng.randrange(256)])])

    def text():
        body = b"".join(piece() for _ in range(rng.randrange(1, 8)))
        if rng.random() < 0.4:
            return body
        quote = rng.choice([b"'", b'"', b"'''"])
        body = b"{a" + body + b"}" if rng.random() < 0.6 else body
        return rng.choice([b"f", b"f", b"rf", b"t", b"", b"b"]) + quote + body + quote

    form = rng.choice([b"x = %\ny\n", b"if a:\n  f(%)\n  z\n", b"%", b"x = % %\nz", b"x = (%, 1)",
                       b"f(%,\n%)\n", b"x# %\ny\n", b"x.a%\n", b"def f(a%): pass\n"])
    return b"".join(text() if c == b"%" else c for c in (form[i:i + 1] for i in range(len(form))))


def floats(rng):
    """Float literals near what rounding, the exponent's range and 15 to 17 digits decide, folded."""
    digits = lambda n: "".join(rng.choice("0123456789") for _ in range(rng.randrange(1, n)))

    def one():
        value = rng.random() * 10.0 ** rng.randrange(-320, 309)
        return rng.choice([
            lambda: repr(value), lambda: f"{value:.{rng.randrange(14, 21)}g}", lambda: f"{value:.{rng.randrange(25)}e}",
            lambda: f"{rng.choice([0, 1, 4, 9])}e{rng.choice(['', '-'])}{rng.randrange(300, 1000)}",
            lambda: f"{digits(20)}.{digits(25)}", lambda: f"0.{'0' * rng.randrange(30)}{digits(20)}",
            lambda: f"{rng.getrandbits(53) / 2 ** rng.randrange(60):.{rng.randrange(40)}f}",
            lambda: f"{rng.getrandbits(70)}.0", lambda: f"{digits(9)}e{rng.randrange(-345, 312)}",
            lambda: f"1{'0' * rng.randrange(14, 24)}.0", lambda: f"0e{rng.randrange(400)}j"])()

    def sum_of(depth):
        if depth == 0:
            return rng.choice(["", "", "-"]) + rng.choice([one, one, lambda: str(rng.randrange(-9, 70))])()
        op = rng.choice(["+", "-", "*", "/", "//", "%", "**"])
        right = rng.choice(["-3", "0.5", "7", "1e3", "-0.0"]) if op == "**" else sum_of(depth - 1)
        return f"({sum_of(depth - 1)} {op} {right})"

    return "".join(rng.choice(["x = {}\n", "f({}, {})\n", "_k = const({}); x = _k\n", "x = ({}, 1)\n"])
                   .replace("{}", sum_of(rng.choice([0, 0, 1, 2]))) for _ in range(rng.randrange(1, 12)))


def ladder(rng):
    """Jumps whose sizes depend on each other, with line gaps between."""
    most = rng.choice([0, 1, 3, 8, 20])
    heads = ["if x", "if x and y", "while x", "while True", "for i in x", "for i in range(9, y, -1)", "with x as y"]

    def fill(indent):
        texts = ["x", "y = x", "f(x)", "x.a", "x = y = 2", "g(1, 2, 3)", "assert x, y(1)", "",
                 "x = y if z else (" + " + ".join("a" * rng.randrange(1, 70)) + ")"]
        return "".join(indent + rng.choice(texts) + "\n" for _ in range(rng.randrange(most + 1)))

    def body(depth, indent, loop):
        text, inner = fill(indent), indent + " "
        for _ in range(rng.choice([1, 1, 2, 3]) if depth > 0 else 0):
            head = rng.choice(heads + ["try"])
            text += f"{indent}{head}:\n{body(depth - 1, inner, loop or head[0] in 'wf')}"
            text += f"{inner}{rng.choice(['break', 'continue', 'x']) if loop else 'x'}\n"
            if head == "try" or head[0] == "i" and rng.random() < 0.4:
                text += indent + (rng.choice(["finally", "except E", "except E as e"]) if head == "try" else "else")
                text += f":\n{body(depth - 2, inner, loop)}{inner}x\n"
            text += fill(indent)
        return text

    return "def f(x):\n" + body(rng.randrange(2, 8), " ", False) + " return x\n"


FAMILIES = [blocks, closures, templates, forms, escapes, identifiers, breaks, long_tokens, blocks, closures, templates,
            raw_bytes, floats, ladder]
