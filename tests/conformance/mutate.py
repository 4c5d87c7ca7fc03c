"""Real files with a token or a byte changed, so that many are wrong in one place only: the verdict, the
message and its line must be upstream's."""
import random
import re

import generate

TOKEN = re.compile(rb"[A-Za-z_]\w*|\d[\w.]*|\"\"\"|'''|\n[ \t]*|[ \t]+|[-+*/%&|^<>=!:]=|\*\*|//|<<|>>|->|"
                   rb"[^\w\s]|\s|.", re.DOTALL)
WORDS = [t.encode() for t in generate.TOKENS]
BYTES = [0, 9, 10, 11, 12, 13, 27, 34, 35, 39, 40, 41, 58, 59, 92, 127, 128, 0xc3, 255]
SIGNS = [b"(", b")", b"[", b"]", b",", b":", b"=", b".", b"*", b"", b";", b"@", b'"', b"'", b"->"]
LINES = 150


def excerpt(rng, data):
    """Some lines of a file, in a block of their own if they are indented."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    text = b"\n".join(lines[at:at + rng.randrange(5, LINES)])
    return b"if 1:\n" + text if text[:1] in (b" ", b"\t") and rng.random() < 0.7 else text


def indentation(rng, token):
    width = token[1:]
    return b"\n" + rng.choice([b"", b" ", b"\t", width + b" ", width[1:], width + b"    ", width[4:],
                               b"\f" + width])


def is_break(token):
    return token[:1] == b"\n"


def change(rng, tokens):
    at, other = rng.randrange(len(tokens)), rng.randrange(len(tokens))

    def damage():
        text = bytearray(tokens[at])
        text[rng.randrange(len(text))] = rng.choice(BYTES)
        return bytes(text)

    def near(wanted):
        return next((i for i in [*range(at, len(tokens)), *range(at)] if wanted(tokens[i])), at)

    def replace(i, token):
        tokens[i:i + 1] = [token] if token else []

    rng.choice([
        lambda: replace(at, b""),
        lambda: tokens.insert(at, tokens[at]),
        lambda: tokens.__setitem__(slice(at, at + rng.randrange(1, 12)), []),
        lambda: tokens.insert(at, b" " + rng.choice(WORDS) + b" "),
        lambda: replace(at, rng.choice(WORDS)),
        lambda: replace(at, tokens[other]),
        lambda: replace(at, damage()),
        lambda: replace(near(bytes.isalpha), rng.choice(WORDS)),
        lambda: replace(near(lambda t: not t.isalnum() and not t.isspace()), rng.choice(SIGNS)),
        lambda: replace(near(is_break), indentation(rng, tokens[near(is_break)])),
    ])()


def mutated(files, seed, count):
    """(name, bytes) of count changed files out of (name, bytes)."""
    for i in range(count if files else 0):
        rng = random.Random(f"mutated/{seed}/{i}")
        name, data = rng.choice(files)
        tokens = TOKEN.findall(data if len(data) < 6000 else excerpt(rng, data))
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            if tokens:
                change(rng, tokens)
        yield f"mutated-{seed}-{i}:{name}", b"".join(tokens)
