"""Programs to compile, from a seed: a grammar walk, families around known boundaries, and wrong
programs made by breaking right ones."""
import random
import string

import families

NAMES = ["a", "b", "c", "d", "x", "y", "z", "self", "foo", "bar", "value", "_p", "__q", "Cls", "i",
         "n", "args", "kw", "data", "result", "a_long_identifier_name", "é", "const", "print", "len",
         "range", "int", "str", "super", "__class__", "micropython", "math", "errno"]
ATTRS = ["x", "y", "append", "value", "run", "_hidden", "upper", "items", "a_rather_long_attribute"]
MODULES = ["sys", "os", "a.b.c", "machine", "time", "collections", "math", "a_long_module_name.sub"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "<<", ">>", "&", "|", "^", "@"]
COMPARE = ["<", ">", "==", "!=", "<=", ">=", "in", "not in", "is", "is not"]
UNARY = ["-", "+", "~"]


class Program:
    """One random program: statements with just enough context to be mostly valid."""

    def __init__(self, rng, wild=0.02):
        self.rng = rng
        self.wild = wild  # chance of something that is an error where it stands
        self.function = 0
        self.coroutine = 0
        self.loop = 0
        self.in_class = 0

    def pick(self, *makers):
        return self.rng.choice(makers)()

    def chance(self, p):
        return self.rng.random() < p

    def name(self):
        return self.rng.choice(NAMES)

    # ---- literals ----

    def integer(self):
        r = self.rng
        return r.choice([
            lambda: str(r.randrange(300)),
            lambda: str(r.choice([0, 1, 2, 16, 47, 63, 64, 127, 128, 255, 256, 1 << 13, 1 << 14,
                                  1 << 20, 1 << 21, (1 << 30) - 1, 1 << 30, (1 << 30) + 1,
                                  1 << 31, 1 << 62, (1 << 62) - 1, 1 << 63, 1 << 64])),
            lambda: hex(r.getrandbits(r.randrange(1, 130))),
            lambda: oct(r.getrandbits(r.randrange(1, 70))),
            lambda: bin(r.getrandbits(r.randrange(1, 40))),
            lambda: "{:_}".format(r.getrandbits(r.randrange(1, 80))),
            lambda: "0X" + format(r.getrandbits(20), "X"),
        ])()

    def floating(self):
        r = self.rng
        return r.choice([
            lambda: repr(r.random() * 10 ** r.randrange(-20, 20)),
            lambda: f"{r.randrange(1000)}.{r.randrange(1000)}",
            lambda: f"{r.randrange(100)}e{r.randrange(-330, 320)}",
            lambda: f".{r.randrange(1000)}",
            lambda: f"{r.randrange(1000)}.",
            lambda: f"{r.randrange(10 ** 18)}.{r.randrange(10 ** 18)}E+{r.randrange(9)}",
            lambda: f"{r.randrange(50)}.{r.randrange(50)}j",
            lambda: r.choice(["0.0", "1.0", "1e1000", "0.1", "100.0", "1e-400", "0j"]),
        ])()

    def text(self, quote):
        r = self.rng
        parts = []
        for _ in range(r.choice([0, 1, 2, 3, 5, 9, 10, 11, 12, 30])):
            parts.append(r.choice([
                lambda: r.choice(string.ascii_letters + string.digits + " _-.,:;%/()[]<>#"),
                lambda: r.choice(["\\n", "\\t", "\\\\", "\\x41", "\\x00", "\\xff", "\\101", "\\0",
                                  "\\u00e9", "\\U0001F600", "\\'", '\\"', "\\q", "\\r", "\\377",
                                  "\\a", "\\v", "\\f", "\\b", "\\\n"]),
                lambda: r.choice(["é", "ü", "→", "😀", "日本"]),
                lambda: "" if quote[0] == "'" else "'",
                lambda: r.choice(["__init__", "append", "hello", "ab", "the end", "{}", "{x}"]),
            ])())
        return "".join(parts)

    def quoted(self, prefix, text):
        r = self.rng
        quote = r.choice(["'", '"', '"', "'''", '"""'])
        if quote[0] in text or (len(quote) == 1 and "\n" in text):
            quote = '"""' if "'" in text else "'''"
        return prefix + quote + text + quote

    def string(self):
        r = self.rng
        text = self.text("'")
        if r.random() < 0.2:
            ascii_only = "".join(c for c in text if ord(c) < 128)
            return self.quoted("B" if self.chance(self.wild) else r.choice(["b", "b", "rb"]), ascii_only)
        return self.quoted("R" if self.chance(self.wild) else r.choice(["", "", "", "", "r", "u"]), text)

    def fstring(self, prefix=None):
        r = self.rng
        quote = r.choice(["'", '"', '"""'])
        parts = []
        for _ in range(r.randrange(1, 5)):
            parts.append(r.choice([
                lambda: "text ",
                lambda: "{{}}",
                lambda: "{{",
                lambda: "}}",
                lambda: "{" + self.embedded(quote) + "}",
                lambda: "{" + self.name() + r.choice(["!r", "!s", ":>10", ":{n}", ":5.2f", "!r:>{n}",
                                                      "=", ":x", "}}" if self.chance(self.wild) else ""]) + "}",
                lambda: "{" + self.name() + "[0]}",
                lambda: "{" + self.name() + "(1, x=2)}",
                lambda: "{ " + self.name() + " + 1 }",
                lambda: "\\n",
                lambda: "é",
            ])())
        prefix = prefix or ("F" if self.chance(self.wild) else r.choice(["f", "f", "f", "f", "f", "rf"]))
        return prefix + quote + "".join(parts) + quote

    def embedded(self, quote):
        text = self.simple(1)
        if self.chance(self.wild):
            return text
        if any(c in text for c in quote[0] + "\\\n{}#") or not text.isascii():
            return self.name() + " * 2"
        return text

    def atom(self):
        r = self.rng.random()
        if r < 0.35:
            return self.name()
        if r < 0.6:
            return self.integer()
        if r < 0.68:
            return self.floating()
        if r < 0.82:
            return self.string()
        if r < 0.86:
            return self.fstring()
        if r < 0.87:
            return self.fstring(self.rng.choice(["t", "t", "rt"])) if self.chance(0.5) else "t''"
        if r < 0.89:
            left, right = self.string(), self.string()
            mixed = ("b" in left[:2].lower()) != ("b" in right[:2].lower())
            return left if mixed and not self.chance(self.wild) else left + " " + right
        return self.rng.choice(["None", "True", "False", "...", "()", "[]", "{}", "__debug__",
                                "math.pi", "math.inf", "errno.EIO"])

    def literal(self):
        if self.chance(self.wild):
            return self.atom()
        return self.pick(self.integer, self.floating, self.string, lambda: "None")

    # ---- expressions ----

    def simple(self, depth):
        if depth <= 0 or self.chance(0.3):
            return self.atom()
        return self.pick(
            lambda: f"{self.simple(depth - 1)} {self.rng.choice(BINARY)} {self.rng.choice([self.name(), self.string(), '3'])}",
            lambda: f"{self.rng.choice(UNARY)}{self.simple(depth - 1)}",
            lambda: f"({self.simple(depth - 1)})",
            lambda: f"{self.name()}.{self.rng.choice(ATTRS)}",
            lambda: f"{self.name()}({self.arguments(depth - 1)})",
            lambda: f"{self.name()}[{self.simple(depth - 1)}]",
        )

    def folding(self, depth):
        if depth <= 0:
            return self.pick(self.integer, self.integer, self.floating, lambda: "True",
                             lambda: str(self.rng.randrange(9)))
        op = self.rng.choice(BINARY[:-1])
        right = self.folding(depth - 1)
        if op in ("**", "<<"): # upstream computes any power, however long that takes
            right = str(self.rng.randrange(70 if op == "<<" else 5))
        return self.pick(lambda: f"({self.folding(depth - 1)} {op} {right})",
                         lambda: f"{self.rng.choice(UNARY)}{self.folding(depth - 1)}",
                         lambda: f"{self.folding(depth - 1)} {op} " +
                         (right if op not in ("**", "<<") else str(self.rng.randrange(4))))

    def constant(self, depth):
        """An expression that every release folds."""
        if depth <= 0 or self.chance(0.2):
            return self.integer()
        if self.chance(self.wild):
            return self.folding(depth)
        op = self.rng.choice(["+", "-", "*", "|", "&", "^", "//", "%", "<<", ">>", "**"])
        right = self.constant(depth - 1) if op in "+-*|&^" else str(self.rng.randrange(1, 9))
        return f"{self.rng.choice(['', '', '-', '~'])}({self.constant(depth - 1)} {op} {right})"

    def operand(self, depth):
        text = self.expression(depth)
        plain = text.replace("_", "a").replace(".", "a").isalnum()
        return text if plain or self.chance(self.wild) else f"({text})"

    def expression(self, depth=3):
        if depth <= 0:
            return self.atom()
        e = lambda: self.expression(depth - 1)
        o = lambda: self.operand(depth - 1)
        return self.pick(
            lambda: self.simple(depth), lambda: self.simple(depth), self.atom,
            lambda: f"{o()} {self.rng.choice(COMPARE)} {o()}",
            lambda: f"{o()} {self.rng.choice(COMPARE)} {o()} {self.rng.choice(COMPARE)} {o()}",
            lambda: f"{o()} and {o()}", lambda: f"{o()} or {o()}", lambda: f"not {o()}",
            lambda: f"{o()} if {o()} else {e()}",
            lambda: f"lambda {self.parameters(True)}: {e()}",
            lambda: f"[{self.items(depth)}]", lambda: f"({self.expression(depth - 1)}, {self.items(depth)})",
            lambda: f"{{{self.items(depth) or 'a'}}}",
            lambda: "{" + ", ".join(f"{e()}: {e()}" for _ in range(self.rng.randrange(4))) + "}",
            lambda: f"[{e()} {self.comprehension(depth)}]",
            lambda: f"({e()} {self.comprehension(depth)})",
            lambda: f"{{{e()} {self.comprehension(depth)}}}",
            lambda: f"{{{e()}: {e()} {self.comprehension(depth)}}}",
            lambda: f"{self.name()}.{self.rng.choice(ATTRS)}({self.arguments(depth)})",
            lambda: f"{self.name()}.{self.rng.choice(ATTRS)}.{self.rng.choice(ATTRS)}",
            lambda: f"{self.name()}[{self.slice(depth)}]",
            lambda: f"({self.name()} := {e()})",
            lambda: f"super().{self.rng.choice(ATTRS)}({self.arguments(depth)})",
            lambda: self.folding(depth),
            lambda: f"({self.yielding(depth)})",
            lambda: f"({self.expression(depth - 1)})",
        )

    def yielding(self, depth):
        if not self.function and not self.chance(self.wild):
            return self.atom()
        if self.coroutine and self.chance(0.5):
            return f"await {self.simple(depth - 1)}"
        return self.pick(lambda: f"yield {self.expression(depth - 1)}", lambda: "yield",
                         lambda: f"yield from {self.expression(depth - 1)}")

    def items(self, depth):
        return ", ".join(self.expression(depth - 1) for _ in range(self.rng.randrange(4)))

    def comprehension(self, depth):
        text = f"for {self.target(1)} in {self.simple(depth - 1)}"
        while self.chance(0.3):
            text += self.pick(lambda: f" if {self.simple(depth - 1)}",
                              lambda: f" for {self.name()} in {self.simple(depth - 1)}")
        return text

    def slice(self, depth):
        e = lambda: self.simple(depth - 1) if self.chance(0.6) else ""
        return self.pick(lambda: f"{e()}:{e()}", lambda: f"{e()}:{e()}:{e()}",
                         lambda: self.expression(depth - 1), lambda: f"{self.simple(1)}, {e()}:",
                         lambda: f"{self.simple(1)}, {self.simple(1)}")

    def arguments(self, depth):
        parts = [self.expression(depth - 1) for _ in range(self.rng.choice([0, 1, 1, 2, 3]))]
        if self.chance(0.15):
            parts.append("*" + self.simple(1))
        parts += [f"{n}={self.simple(depth - 1)}" for n in
                  self.rng.sample(NAMES[:20], self.rng.choice([0, 0, 0, 1, 2]))]
        if self.chance(0.1):
            parts.append("**" + self.simple(1))
        if self.chance(self.wild):
            parts.append("*" + self.simple(1))
        return ", ".join(parts)

    def parameters(self, plain=False):
        r = self.rng
        names = r.sample(NAMES[:24], r.randrange(5))
        split = r.randrange(len(names) + 1)
        note = "" if plain or not self.chance(0.2) else ": int"
        parts = [n + note for n in names[:split]]
        parts += [f"{n}{note}={self.simple(1)}" for n in names[split:]]
        if self.chance(0.2):
            parts.append("*rest" if self.chance(0.7) else "*")
            parts += [n + ("=1" if self.chance(0.5) else "") for n in
                      r.sample(["k1", "k2", "k3"], r.randrange(1, 3))]
        if self.chance(0.15):
            parts.append("**kwargs")
        return ", ".join(parts)

    def target(self, depth=2):
        return self.pick(
            self.name, self.name, self.name,
            lambda: f"{self.name()}.{self.rng.choice(ATTRS)}",
            lambda: f"{self.name()}[{self.simple(1)}]",
            lambda: ", ".join(self.target(0) for _ in range(2)) if depth > 0 else self.name(),
            lambda: f"({self.target(0)}, {self.target(0)})" if depth > 0 else self.name(),
            lambda: f"{self.name()}, *{self.name()}" if depth > 1 else self.name(),
            lambda: f"[{self.name()}, {self.name()}]" if depth > 1 else self.name(),
        )

    # ---- statements ----

    def small(self):
        e = self.expression
        return self.pick(
            lambda: e(2), lambda: e(3), lambda: f"{self.target()} = {e()}",
            lambda: f"{self.name()} = {e()}", lambda: f"{self.name()} = {self.name()} = {e(2)}",
            lambda: f"{self.name()} {self.rng.choice(BINARY)}= {e(2)}",
            lambda: f"{self.name()}.{self.rng.choice(ATTRS)} += {e(2)}",
            lambda: f"{self.name()}[{self.simple(1)}] -= {e(2)}",
            lambda: f"{self.name()}, {self.name()} = {self.simple(1)}, {self.simple(1)}",
            lambda: f"{self.name()}, {self.name()}, {self.name()} = {self.name()}, 1, {self.name()}",
            lambda: f"{self.name()}: {self.name()}" + (f" = {e(1)}" if self.chance(0.6) else ""),
            lambda: "pass", lambda: f"del {self.name()}",
            lambda: f"del {self.name()}.x, {self.name()}[0]",
            lambda: f"assert {e(2)}" + (f", {e(1)}" if self.chance(0.5) else ""),
            lambda: self.raising(), lambda: self.importing(), lambda: self.scoping(),
            lambda: self.jumping(), lambda: self.jumping(),
            lambda: f"_K{self.rng.randrange(9)} = const({self.constant(2)})",
            lambda: f"{self.rng.choice(['_A', 'B'])}{self.rng.randrange(999)} = const({self.literal()})",
            lambda: self.string(),
            lambda: f"print({self.arguments(2)})",
        )

    def raising(self):
        return self.pick(lambda: "raise", lambda: f"raise {self.simple(2)}",
                         lambda: f"raise {self.simple(1)} from {self.simple(1)}")

    def importing(self):
        m = self.rng.choice(MODULES)
        return self.pick(lambda: f"import {m}", lambda: f"import {m} as {self.name()}",
                         lambda: f"from {m} import {self.name()}",
                         lambda: f"from {m} import ({self.name()}, {self.name()} as q)",
                         lambda: f"from . import {self.name()}",
                         lambda: f"from ..{m} import {self.name()}",
                         lambda: f"from {m} import *" if not self.function else f"import {m}, sys")

    def scoping(self):
        if self.chance(0.9) and not (self.function > 1 and self.chance(0.3)):
            return f"global g{self.rng.randrange(5)}"
        return f"nonlocal {self.name()}" if self.chance(self.wild) else "pass"

    def jumping(self):
        options = ["pass"]
        if self.loop or self.chance(self.wild):
            options += ["break", "continue"]
        if self.function or self.chance(self.wild):
            options += ["return", f"return {self.expression(2)}",
                        f"return {self.simple(1)} if {self.simple(1)} else {self.simple(1)}",
                        self.yielding(2)]
        return self.rng.choice(options)

    def line(self):
        text = self.small()
        while self.chance(0.07):
            text += "; " + self.small()
        return text + (";" if self.chance(0.02) else "") + ("  # note" if self.chance(0.03) else "")

    def block(self, depth, indent):
        if self.chance(0.08):
            return " " + self.line() + "\n"
        step = self.rng.choice(["    ", "    ", "  ", "\t", " "])
        return "\n" + self.statements(self.rng.randrange(1, 5), depth - 1, indent + step)

    def statements(self, n, depth, indent=""):
        return "".join(self.statement(depth, indent) for _ in range(n))

    def looped(self, depth, indent):
        self.loop += 1
        text = self.block(depth, indent)
        self.loop -= 1
        if self.chance(0.2):
            text += f"{indent}else:" + self.block(depth, indent)
        return text

    def functional(self, depth, indent, coroutine=False):
        saved = self.function, self.coroutine, self.loop, self.in_class
        self.function, self.coroutine, self.loop, self.in_class = saved[0] + 1, coroutine, 0, 0
        text = self.block(depth, indent)
        self.function, self.coroutine, self.loop, self.in_class = saved
        return text

    def trying(self, depth, indent):
        text = "try:" + self.block(depth, indent)
        kind = self.rng.randrange(3)
        if kind != 1:
            for _ in range(self.rng.randrange(1, 3)):
                what = self.rng.choice([" " + self.name(), f" {self.name()} as {self.name()}",
                                        f" ({self.name()}, {self.name()})"])
                text += f"{indent}except{what}:" + self.block(depth, indent)
            if self.chance(0.3):
                text += f"{indent}except:" + self.block(depth, indent)
            if self.chance(0.2):
                text += f"{indent}else:" + self.block(depth, indent)
        if kind != 0:
            text += f"{indent}finally:" + self.block(depth, indent)
        return text

    def branching(self, depth, indent):
        test = lambda: self.rng.choice([self.expression(3), self.atom(), "0", "1", "not x",
                                        f"{self.name()} and {self.name()} or not {self.name()}"])
        text = f"if {test()}:" + self.block(depth, indent)
        while self.chance(0.25):
            text += f"{indent}elif {test()}:" + self.block(depth, indent)
        if self.chance(0.4):
            text += f"{indent}else:" + self.block(depth, indent)
        return text

    def range_loop(self, depth, indent):
        bounds = self.rng.choice(["10", "n", "0, n", "1, 10, 2", "n, 0, -1", "0, 10, n", "a, b, -3",
                                  "len(x)", "5, 5, 5, 5", "*a", "0, 9, 0"])
        return f"for {self.name()} in range({bounds}):" + self.looped(depth, indent)

    def decorated(self, depth, indent):
        decorator = ""
        if self.chance(0.15):
            decorator = self.rng.choice(["staticmethod", "property", "x.setter", "dec(1, a=2)",
                                         "micropython.bytecode"]) + "\n" + indent
            decorator = "@" + decorator
        note = " -> int" if self.chance(0.05) else ""
        coroutine = self.chance(0.12)
        return (decorator + ("async " if coroutine else "") +
                f"def {self.name()}({self.parameters()}){note}:" +
                self.functional(depth, indent, coroutine))

    def classy(self, depth, indent):
        bases = self.rng.choice(["", "()", "(Base)", "(a.b, c)", "(Base, metaclass=M)"])
        saved = self.function, self.loop
        self.function, self.loop = 0, 0
        text = f"class {self.name()}{bases}:" + self.block(depth, indent)
        self.function, self.loop = saved
        return text

    def asynchronous(self, depth, indent):
        return self.pick(
            lambda: f"async for {self.target(1)} in {self.simple(2)}:" + self.looped(depth, indent),
            lambda: f"async with {self.simple(2)} as {self.target(0)}:" + self.block(depth, indent))

    def statement(self, depth, indent):
        if depth <= 0 or self.chance(0.55):
            return indent + self.line() + "\n"
        if self.chance(0.02):
            return "\n"
        if self.coroutine and self.chance(0.2):
            return indent + self.asynchronous(depth, indent)
        return indent + self.pick(
            lambda: self.branching(depth, indent), lambda: self.branching(depth, indent),
            lambda: f"while {self.expression(2)}:" + self.looped(depth, indent),
            lambda: f"while {self.rng.choice(['True', '1', '0', 'not 0'])}:"
            + self.looped(depth, indent),
            lambda: f"for {self.target()} in {self.expression(2)}:" + self.looped(depth, indent),
            lambda: self.range_loop(depth, indent), lambda: self.trying(depth, indent),
            lambda: self.decorated(depth, indent), lambda: self.decorated(depth, indent),
            lambda: self.classy(depth, indent),
            lambda: f"with {self.simple(2)}" + (f" as {self.target(1)}" if self.chance(0.6) else "")
            + (f", {self.simple(1)}" if self.chance(0.3) else "") + ":" + self.block(depth, indent))

    def text_of(self):
        return self.statements(self.rng.randrange(1, 14), self.rng.randrange(1, 5))


# ---- Families ----


def numbers(rng):
    p = Program(rng, 0)
    lines = []
    for i in range(rng.choice([1, 5, 40])):
        value = rng.choice([p.integer, p.floating, lambda: p.folding(2), lambda: p.folding(3)])()
        lines.append(rng.choice([f"v{i} = {value}", f"f({value}, {p.integer()})",
                                 f"v{i} = ({value}, {p.floating()}, 'a')",
                                 f"if {value}: v{i} = {value}", f"K{i} = const({p.constant(2)})",
                                 f"_K{i} = const({p.constant(3)}); v{i} = _K{i} + 1",
                                 f"x = -{value}", f"x[{value}] = {value}"]))
    return "\n".join(lines) + "\n"


def strings(rng):
    p = Program(rng, 0)
    lines = []
    for i in range(rng.choice([1, 2, 4, 12])):
        lines.append(rng.choice([f"v{i} = {p.string()}", f"f({p.string()}, {p.fstring()})",
                                 f"v{i} = {p.string()} {p.string()}", f"x = ({p.string()}, 1)",
                                 f"def f{i}():\n    {p.string()}\n    return {p.string()}",
                                 f"v{i} = {p.fstring()} {p.string()}", f"x = {p.fstring()}",
                                 f"x = {p.fstring('t')}", f"x == {p.string()}",
                                 f"x.{'n' * rng.randrange(1, 14)} = {p.string()}"]))
    return "\n".join(lines) + "\n"


def jumps(rng):
    """Bodies whose size straddles the jump forms' limits."""
    size = rng.choice([20, 30, 31, 32, 33, 62, 63, 64, 65, 126, 127, 128, 129, 8190, 8192, 16382,
                       16384, 16390, 32760, 32766, 32768, 32772])
    size += rng.randrange(-4, 5)
    filler = rng.choice([("x\n", 3), ("x = y\n", 4), ("a.b\n", 5), ("f()\n", 5), ("'s'\n", 0),
                         ("x = 100000\n", 6)])
    n = max(1, size // max(filler[1], 1)) if filler[1] else 3
    unit = rng.choice([1, 1, 2])
    body = ("    " * unit + filler[0]) * min(n, 9000)
    heads = [["if c:\n", body, "else:\n", "    z\n"], ["while c:\n", body],
             ["while True:\n", "    if q: break\n", body], ["for i in c:\n", body, "else:\n    z\n"],
             ["for i in range(n):\n", body], ["try:\n", body, "except E:\n    z\n"],
             ["try:\n", body, "finally:\n    z\n"], ["with c:\n", body],
             ["def f():\n    return [\n", "a, " * (n % 3000), "]\n"],
             ["while a:\n    continue\n", body],
             ["x = a if c else (" + "b + " * (n % 5000) + "d)\n"],
             ["x = a and (" + "b + " * (n % 5000) + "d)\n"]]
    head = rng.choice(heads)
    if unit == 2:
        head = [h if h is body else h for h in head]
    return "".join(head) + "end\n"


def wide(rng):
    n = rng.choice([1, 2, 3, 4, 5, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 250, 255,
                    256, 257, 300, 600])
    names = [f"n{i}" for i in range(n)]
    few = names[:200]
    return rng.choice([
        lambda: "def f():\n" + "".join(f"    {x} = {i}\n" for i, x in enumerate(names))
        + "    return " + "+".join(names) + "\n",
        lambda: "f(" + ", ".join(few) + ")\n",
        lambda: "f(" + ", ".join(x + "=1" for x in few) + ")\n",
        lambda: "def f(" + ", ".join(few) + "): return n0\n",
        lambda: "def f(" + ", ".join(x + f"={i}" for i, x in enumerate(few)) + "): pass\n",
        lambda: "def f(*, " + ", ".join(x + f"={i}" for i, x in enumerate(few)) + "): pass\n",
        lambda: "x = [" + ", ".join(names) + "]\n",
        lambda: "x = (" + ", ".join(str(i * 7) for i in range(n)) + ")\n",
        lambda: "x = {" + ", ".join(f"{i}: '{x}'" for i, x in enumerate(names)) + "}\n",
        lambda: "".join(f"def {x}(): return {x}.{x}\n" for x in names),
        lambda: "".join(f"{x} = 'string number {i}'\n" for i, x in enumerate(names)),
        lambda: "def f():\n" + "".join(f"    {x} = {i}\n" for i, x in enumerate(few))
        + "    def g(): return " + "+".join(few) + "\n    return g\n",
        lambda: "class A:\n" + "".join(f"    def {x}(self): return self.{x}\n" for x in names),
        lambda: " ".join(f"'{x}'" for x in names) + "\n",
        lambda: "x = " + " + ".join(f"'{x}'" for x in names) + "\n",
        lambda: "x = " + " < ".join(names) + "\n",
        lambda: "x = " + " and ".join(names) + "\n",
        lambda: "if x:\n    pass\n" + "".join(f"elif {x}:\n    {x}()\n" for x in names),
        lambda: ", ".join(few) + " = x\n",
        lambda: ", ".join(few) + ", *r = x\n",
        lambda: " = ".join(names) + " = x\n",
        lambda: "from m import " + ", ".join(names) + "\n",
        lambda: "def f():\n  def g():\n    return " + "+".join(few) + "\n"
        + "".join(f"  {x} = 1\n" for x in few),
    ])()


def deep(rng):
    n = rng.choice([2, 3, 5, 10, 20, 40, 60, 90, 150, 300])
    small = min(n, 60)
    return rng.choice([
        lambda: "x = " + "(" * n + "a" + ")" * n + "\n",
        lambda: "x = " + "[" * n + "a" + "]" * n + "\n",
        lambda: "x = " + "(" * small + "1," + "),"[:1] * small + "\n",
        lambda: "x = " + "f(" * n + "a" + ")" * n + "\n",
        lambda: "x = " + "-" * n + "a\n",
        lambda: "x = " + "not " * n + "a\n",
        lambda: "x = a" + ".b" * n + "\n",
        lambda: "x = a" + "[0]" * n + "\n",
        lambda: "x = a" + "()" * n + "\n",
        lambda: "x = " + "lambda: " * small + "a\n",
        lambda: "x = " + "a if b else " * n + "c\n",
        lambda: "x = " + "a ** " * n + "c\n",
        lambda: "".join("  " * i + f"if a{i}:\n" for i in range(small)) + "  " * small + "x\n",
        lambda: "".join(" " * i + f"def f{i}():\n" for i in range(small)) + " " * small + "f0\n",
        lambda: "".join(" " * i + f"for i{i} in x:\n" for i in range(small)) + " " * small + "x\n",
        lambda: "".join(" " * i + "try:\n" for i in range(small)) + " " * small + "x\n"
        + "".join(" " * i + "finally: y\n" for i in range(small - 1, -1, -1)),
        lambda: "".join(" " * i + "with a:\n" for i in range(small)) + " " * small + "x\n",
        lambda: "".join(" " * i + f"class C{i}:\n" for i in range(small)) + " " * small + "x = 1\n",
        lambda: "".join(" " * i + f"while a{i}:\n" for i in range(small)) + " " * small + "break\n",
        lambda: "x = " + "{1: " * small + "a" + "}" * small + "\n",
        lambda: "x = [" * 1 + "a for a in [" * small + "b" + "]" * small + "]\n",
        lambda: "def f():\n v = 1\n" + "".join(" " * (i + 1) + f"def g{i}():\n"
                                                for i in range(small)) + " " * (small + 1)
        + "return v\n",
    ])()


def layout(rng):
    p = Program(rng, 0)
    text = p.text_of()
    change = rng.choice([
        lambda t: t.replace("\n", "\r\n"), lambda t: t.replace("\n", "\r"),
        lambda t: t.replace("    ", "\t"), lambda t: "\ufeff" + t, lambda t: t.rstrip("\n"),
        lambda t: "\f" + t, lambda t: t.replace("\n", "\n\f\n"), lambda t: t.replace(" = ", " = \\\n "),
        lambda t: t.replace("(", "(\n  # c\n "), lambda t: "#!/bin/sh\n# coding: latin-1\n" + t,
        lambda t: t + "    ", lambda t: t + "# end", lambda t: t.replace(": ", ":\t"),
        lambda t: "\n\n\n" + t, lambda t: t.replace("\n", "   \n"), lambda t: t.replace("\n", "\n\n"),
        lambda t: "if 1:\n" + "".join("\t" + x + "\n" for x in t.splitlines()),
        lambda t: t.replace("    ", "        \t"), lambda t: t + "\x0b", lambda t: t + "\0",
        lambda t: t.replace("\n", "\n" * 40), lambda t: t.replace("\n", "\n" * 300, 3),
        lambda t: t.replace(",", ",\n" * 70, 1), lambda t: " " + t,
        lambda t: t.replace("\n", " \\\n\n", 1)])
    return change(text)


def constants(rng):
    p = Program(rng)
    lines = ["from micropython import const"] if rng.random() < 0.5 else []
    for i in range(rng.randrange(3, 30)):
        name = rng.choice(["_", ""]) + rng.choice("ABCDEF")
        new = rng.choice(["_", ""]) + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i % 26] + (str(i) if i > 25 else "")
        note = rng.choice(["", "", "", ": int"])
        lines.append(rng.choice([
            f"{new}{note} = const({p.constant(2)})", f"{new}{note} = const({p.string()})",
            f"{new} = const(({p.integer()}, {p.string()}))", f"{new} = const({rng.choice(['1', '2.5', 'A' if i % 9 == 0 else '7'])})",
            f"x{i} = {name} + {p.integer()}", f"if {name}: y{i}", f"def f{i}(v=1): return {name}",
            f"x.{name} = {name}", f"f(w=2)", f"x{i} = ({name}, 1, _A)", f"while _{name}: pass",
            f"x = {name} and y or {name}", f"del x{i}", f"print({name}, _{name})",
            f"x{i} = not {p.folding(1)}", f"x{i} = {p.folding(1)} and {p.folding(1)} or z",
            f"x{i} = {p.folding(1)} if {p.folding(1)} else 2", f"x{i} = {p.folding(1)} or a",
        ]))
    return "\n".join(lines) + "\n"


FAMILIES = [numbers, strings, jumps, wide, deep, layout, constants] + families.FAMILIES


def encoded(text):
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def programs(seed, count):
    """(name, bytes) of count programs; half of them from the grammar."""
    for i in range(count):
        rng = random.Random(f"{seed}/{i}")
        if i % 2:
            family = FAMILIES[i // 2 % len(FAMILIES)]
            name, text = family.__name__, family(rng)
        else:
            name, text = "grammar", Program(rng, rng.choice([0, 0, 0.02, 0.1])).text_of()
        yield f"{name}-{seed}-{i}", encoded(text)


TOKENS = ["if", "else", "elif", "for", "in", "def", "class", "return", "yield", "lambda", "import",
          "from", "as", "with", "try", "except", "finally", "raise", "pass", "break", "continue",
          "global", "nonlocal", "del", "assert", "async", "await", "not", "and", "or", "is", "None",
          "while", "(", ")", "[", "]", "{", "}", ",", ":", ";", ".", "=", "==", "+=", "->", "*", "**",
          "@", ":=", "...", "~", "!", "?", "$", "`", "\\", "'", '"', "0x", "1e", "1.2.3", "0b2", "08",
          "f'{'", "f'{}'", "f'{a'", "f'}'", "f'{a!}'", "b'é'", "'\\x1'", "'\\u12'", "\t", "\n", "  ",
          "1_", "0_1", "1j", "'''", "b'' ''", "\\N{x}", "'\\N{DASH}'", "f'{a!r:{b}}'", "*a", "**k"]


def broken(rng, text):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(text) + 1)
        text = rng.choice([
            lambda: text[:at] + text[at + rng.randrange(1, 4):],
            lambda: text[:at] + rng.choice(TOKENS) + text[at:],
            lambda: text[:at] + " " + rng.choice(TOKENS) + " " + text[at:],
            lambda: text[:at],
            lambda: text[:at] + chr(rng.choice([0, 1, 127, 128, 255, 0x3000])) + text[at:],
            lambda: text.replace("    ", rng.choice(["   ", " ", "\t"]), 1),
            lambda: text[:at] + text[rng.randrange(len(text) + 1):],
        ])()
    return text


def wrong(seed, count):
    for i in range(count):
        rng = random.Random(f"wrong/{seed}/{i}")
        if i % 4 == 0:
            text = " ".join(rng.choice(TOKENS + NAMES) for _ in range(rng.randrange(1, 12)))
        else:
            family = rng.choice([None, None] + families.FAMILIES)
            text = family(rng) if family else Program(rng, 0.05).text_of()
            text = broken(rng, text) if isinstance(text, str) else text
        yield f"wrong-{seed}-{i}", encoded(text)


def limits():
    """Fixed programs at the limits of the format and of upstream."""
    cases = {
        "empty": "", "newline": "\n", "comment": "# only", "spaces": "   ", "nul": "x\0y",
        "bom": "\ufeffx = 1", "cells": "def f():\n" + "".join(f" v{i} = 1\n" for i in range(300))
        + " def g(): return " + "+".join(f"v{i}" for i in range(300)),
        "cells255": "def f():\n" + "".join(f" v{i} = 1\n" for i in range(254))
        + " def g(): return " + "+".join(f"v{i}" for i in range(254)),
        "name255": "x" * 255 + " = 1", "name256": "x" * 256 + " = 1", "name300": "a." + "b" * 300,
        "string255": f"x = {'s' * 255!r}", "string256": f"x = {'s' * 256!r}",
        "args255": "def f(" + ", ".join(f"a{i}" for i in range(255)) + "): pass",
        "args256": "def f(" + ", ".join(f"a{i}" for i in range(256)) + "): pass",
        "call255": "f(" + ", ".join(["a"] * 255) + ")", "call256": "f(" + ", ".join(["a"] * 256) + ")",
        "stack65535": "x = [" + "a," * 65535 + "]", "stack65537": "x = [" + "a," * 65537 + "]",
        "calls": "f(" + ", ".join(["a"] * 300) + ")", "star30": "f(" + "a, " * 29 + "*b)",
        "star31": "f(" + "a, " * 30 + "*b)", "star32": "f(" + "a, " * 31 + "*b)",
        "star62": "f(" + "a, " * 61 + "*b)", "star64": "f(" + "a, " * 64 + "*b)",
        "shift": "x = 1 << 100000", "power": "x = 3 ** 20000", "shift_big": "x = 1 << (1 << 70)",
        "shift_negative": "x = 1 << -1", "divide": "x = 1 // 0", "modulo": "x = 1 % 0",
        "minimum": "x = -0x4000000000000000", "minimum2": "x = -0x4000000000000000 - 1",
        "long_line": "x = [" + "1, " * 20000 + "]", "many_lines": "x = 1\n" * 20000,
        "blank_lines": "x = 1" + "\n" * 5000 + "y = 2" + "\n" * 70000 + "z = 3",
        "tuple400": "x = " + "(" * 400 + "1" + ",)" * 400,
        "digits": "x = " + "9" * 20000, "hexdigits": "x = 0x" + "f" * 20000,
        "indents": "".join(" " * i + "if a:\n" for i in range(99)) + " " * 99 + "b",
        "else_chain": "if a:\n  x\n" + "elif b:\n  y\n" * 900,
        "functions": "".join(f"def f{i}(): return {i}\n" for i in range(2000)),
        "unpack255": ", ".join(f"a{i}" for i in range(255)) + " = x",
        "unpack256": ", ".join(f"a{i}" for i in range(256)) + ", *b = x",
        "string_long": "x = '" + "ab" * 40000 + "'", "bytes_long": "x = b'" + "\\x00" * 30000 + "'",
        "doc": '"""doc"""\ndef f():\n    """doc"""\n', "semicolons": ";".join(["x"] * 5000),
        "overflow": "while a:\n" + " b = c\n" * 6000, "overflow2": "for a in b:\n" + " b = c\n" * 9000,
        "try_overflow": "try:\n" + " b = c\n" * 9000 + "except: pass",
        "nested_calls": "x = " + "f(" * 800 + ")" * 800, "concat": "x = " + "'a' " * 3000,
        "surrogate": "x = '\\ud800'", "bad_utf8": b"x = '\xff\xfe'", "bad_utf8_name": b"\xff = 1",
        "line_70000": "x = 1\n" * 70000, "dedent": "if a:\n    b\n  c", "indent": "a\n  b",
        "flat_ifs": "if a:\n  b\n" * 3000, "flat_mixed": "for a in b:\n c\nif d and e:\n try: f\n except: g\n" * 900,
        "star_import": "def f():\n from m import *", "async_top": "await x", "yield_top": "yield x",
    }
    for name, text in cases.items():
        yield "limit-" + name, text if isinstance(text, bytes) else text.encode("utf-8", "replace")
