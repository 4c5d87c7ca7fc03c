#!/usr/bin/env python3
"""Compares the listings of `mpy-freeze dis` with those of upstream's tools/mpy-tool.py -d: every
function, prelude, argument name, instruction, operand and constant of compiled modules.

    tests/conformance/dis.py --build build [--quick] [--mpy-tool PATH]

mpy-tool.py comes from the source package of Debian's MicroPython. Exit code: 0 no difference, 1
differences, 77 no reference can be had."""
import argparse
import glob
import json
import os
import subprocess
import sys
import sysconfig
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BATCH = 40
# What nothing in the library makes.
EXTRA = """
x = 1j, b'\\x00\\xff', 'a' * 3, 2 ** 100, -5, 1e300, (1, (2.5, None), ...)
def f(a, *b, c=1, **d):
    global g
    def h():
        nonlocal a
        a = lambda: [i for i in b for j in c if i]
        del a
    try:
        with a as g: return h
    finally:
        for i in d: break
async def k(a):
    async with a as b:
        async for c in b: await c(*d, e=1, **f)
class C(f, metaclass=k):
    __slots__ = not -+~x[1:2:3], x is not None in x
"""


def source_tool():
    folder = os.path.join("build", "conformance", "debian-source")
    done = subprocess.run(["bash", os.path.join(HERE, "debian_source.sh"), "trixie", folder],
                          capture_output=True, text=True)
    tools = glob.glob(os.path.join(folder, "tree", "**", "tools", "mpy-tool.py"), recursive=True)
    if done.returncode or not tools:
        print((done.stderr.strip() or "no mpy-tool.py in it").splitlines()[-1])
        sys.exit(77)
    return tools[0]


def compile_all(build, folder, limit):
    stdlib = sysconfig.get_paths()["stdlib"]
    scripts = sorted(glob.glob(os.path.join(stdlib, "*.py")) +
                     glob.glob(os.path.join(stdlib, "*", "*.py")))
    scripts = [s for s in scripts if "packages" not in s][::1 if not limit else 8]
    extra = os.path.join(folder, "extra.py")
    with open(extra, "w") as f:
        f.write(EXTRA)
    made = []
    for i, script in enumerate([extra, *scripts]):
        target = os.path.join(folder, f"m{i}.mpy")
        done = subprocess.run([os.path.join(build, "mpy-cross"), "-o", target, script],
                              capture_output=True)
        if done.returncode == 0:
            made.append(target)
    return made


def constant(o):
    kind = o["type"]
    if kind == "tuple":
        return tuple(constant(i) for i in o["items"])
    if kind == "bytes":
        return bytes.fromhex(o["value"])
    convert = {"str": str, "int": int, "float": float, "complex": complex}
    if kind in convert:
        return convert[kind](o["value"])
    return {"None": None, "True": True, "False": False, "Ellipsis": ...}[kind]


def our_lines(build, path):
    """The listing in the words of mpy-tool.py."""
    done = subprocess.run([os.path.join(build, "mpy-freeze"), "dis", "--json", path],
                          capture_output=True, check=True)
    m = json.loads(done.stdout)["modules"][0]
    constants = [constant(o) for o in m["constants"]]
    yield f"qstr_table[{len(m['qstrs'])}]:"
    for q in m["qstrs"]:
        yield from f"    {q}".split("\n")
    yield from f"obj_table: {constants}".split("\n")
    for f in m["functions"]:
        yield f"simple_name: {f['name']}"
        yield f"  prelude: {tuple(f[k] for k in ('n_state', 'n_exc_stack', 'scope_flags', 'n_pos_args', 'n_kwonly_args', 'n_def_pos_args'))}"
        yield f"  args: {f['args']}"
        for i in f["instructions"]:
            hexed = ":".join(i["bytes"][k:k + 2] for k in range(0, len(i["bytes"]), 2))
            arg = i.get("arg", "")
            if i["op"] == "LOAD_CONST_OBJ":
                arg = repr(constants[arg])
            elif "text" in i:
                arg = i["text"] + " " if not i["text"].startswith("?") else ""
            elif "qstr" in i:
                arg = i["qstr"]
            elif i["op"] in ("LOAD_FAST", "STORE_FAST"):
                arg = f"{arg} "
            yield from f"  {hexed:11s} {i['op']} {arg}".split("\n")


def their_lines(tool, paths):
    """{path: lines}; the raw bytes, which the instructions repeat, are left out."""
    done = subprocess.run([sys.executable, tool, "-d", *paths], capture_output=True,
                          env={**os.environ, "PYTHONIOENCODING": "utf-8:surrogateescape"})
    listings, current = {}, None
    for line in done.stdout.decode("utf-8", "replace").split("\n"):
        if line.startswith("mpy_source_file: "):
            current = listings.setdefault(line[17:], [])
        elif current is not None and not line.startswith(
                ("source_file:", "header:", "arch:", "  raw bytecode:", "  line info:",
                 "  children:")):
            current.append(line)
    return listings, done.stderr


def normal(line):
    return " ".join(line.replace("  ", " ").split())


def compare(build, tool, paths):
    theirs, errors = their_lines(tool, paths)
    if errors:  # it stops at the first file it cannot take
        theirs = {}
        for path in paths:
            one, errors = their_lines(tool, [path])
            theirs.update({} if errors else one)
    differences = compared = 0
    for path in paths:
        if path not in theirs:
            continue  # mpy-tool.py takes no strings that are not UTF-8
        ours = [normal(l) for l in our_lines(build, path)]
        want = [normal(l) for l in theirs[path]]
        while want and not want[-1]:
            want.pop()
        compared += 1
        if ours != want:
            differences += 1
            for a, b in zip(ours, want):
                if a != b:
                    print(f"{path}:\n  ours   {a}\n  theirs {b}")
                    break
            else:
                print(f"{path}: {len(ours)} lines, not {len(want)}")
    return compared, differences


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default="build")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mpy-tool")
    args = parser.parse_args()
    tool = args.mpy_tool or source_tool()
    with tempfile.TemporaryDirectory() as folder:
        paths = compile_all(args.build, folder, args.quick)
        compared = differences = 0
        for i in range(0, len(paths), BATCH):
            c, d = compare(args.build, tool, paths[i:i + BATCH])
            compared, differences = compared + c, differences + d
    print(f"dis: {compared} of {len(paths)} listings compared, {differences} differ")
    sys.exit(1 if differences or not compared else 0)


main()
