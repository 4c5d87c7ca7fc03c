"""Freeze and splice: 661 modules into a large firmware, 4 into a small one, 2 MiB there and back;
process start and the durable write of the product included."""
import json
import os
import random
import re
import shutil
import subprocess

from run import Row, Skip

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
KEY = os.path.join(ROOT, "tests", "keys", "p256.pem")

MODULE = '''
LIMIT_{n} = {n} * 3
NAMES = ("alpha{n}", "beta", {n}.5, b"raw{n}", None, "a text that is longer than a name, number {n}")

class Part{n}:
    def __init__(self, size=LIMIT_{n}):
        self.size_{n} = size
        self.items = []

    def add(self, item, *more, key=None):
        self.items.append((item, more, key))
        return len(self.items) + self.size_{n}

def run_{n}(count):
    part = Part{n}()
    return sum(part.add(i) for i in range(count) if i % {m})
'''


def firmware(script, *arguments):
    """Runs a script of tests/lib that gets a firmware; skips when it cannot be had."""
    done = subprocess.run([os.path.join(ROOT, "tests", "lib", script), *arguments], cwd=ROOT,
                          capture_output=True, text=True)
    if done.returncode:
        raise Skip((done.stderr or done.stdout).strip().splitlines()[-1])


def modules(bench, count):
    """A folder of .mpy files."""
    folder, scripts = os.path.join(bench.work, "mpy"), os.path.join(bench.work, "py")
    os.makedirs(folder)
    os.makedirs(scripts)
    files = []
    for n in range(count):
        files.append(os.path.join(scripts, f"m{n}.py"))
        with open(files[-1], "w") as f:
            f.write(MODULE.format(n=n, m=n % 7 + 2))
    bench.time([bench.program("mpy-cross"), "-o", folder, *files], 1)
    return folder


def large(bench, image, size):
    """The image, grown to size bytes by what could be code or a file system."""
    path = os.path.join(bench.work, "large.bin")
    with open(image, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(data + random.Random(1).randbytes(size - len(data)))
    return path


# Bytes of flash of the same 661 modules in upstream's own freeze: mpy-tool.py -f of 1.26.1 with the names
# of this firmware as its qstrs, compiled with arm-none-eabi-gcc -Os -mcpu=cortex-m4, linked, text of size.
UPSTREAM_FLASH = {"made": 358012, "real": 327406}


def real_scripts(bench):
    """A folder of 661 of MicroPython's own tests and examples, as the source of Debian trixie has them: those
    that this firmware, which knows neither long ints nor the assembler's other architectures, can hold."""
    tree = os.path.join(bench.cache, "debian-trixie")
    firmware(os.path.join("..", "conformance", "debian_source.sh"), "trixie", tree)
    top = os.path.join(tree, "tree", "micropython-1.25.0")
    if not os.path.isdir(top):
        raise Skip("Debian's source is of another release than 1.25.0, which the reference is for")
    unfit = re.compile(r"asm_|native|viper|intbig|\d{10}|0x\w{8}|\*\*|<<")
    folder = os.path.join(bench.work, "real")
    os.makedirs(folder)
    scripts = sorted(os.path.relpath(os.path.join(at, name), top) for part in ("examples", "tests")
                     for at, _, names in os.walk(os.path.join(top, part)) for name in names if name.endswith(".py"))
    for name in [n for n in scripts if n.startswith(("examples/", "tests/basics/", "tests/extmod/", "tests/float/"))]:
        with open(os.path.join(top, name), encoding="utf-8", errors="replace") as f:
            text = f.read()
        if not unfit.search(name + text) and len(os.listdir(folder)) < 661:
            shutil.copy(os.path.join(top, name), os.path.join(folder, name.replace("/", "_")))
    return folder


def flash(bench, image, folder, what):
    """What the modules take in all: frozen data, header, room for signatures, patches, list of modules."""
    for label, options in ((f"661 {what} modules, flash", []), ("  list of modules detached", ["--detach-modules"])):
        done = subprocess.run([bench.program("mpy-freeze"), "build", "-f", image, "-o", "product", "--json", *options,
                               folder], cwd=bench.work, capture_output=True, check=True)
        report = json.loads(done.stdout)
        if len(report["modules"]) != 661:
            raise Skip(f"{folder} has {len(report['modules'])} modules: the reference is for 661")
        yield Row(label, report["bytes"] / 1024, limit=UPSTREAM_FLASH[what] * 1.01 / 1024, unit="KiB")


def splices(bench, image):
    """Splice and unsplice alone, of an image of 2 MiB."""
    program = bench.program("mpy-freeze")
    base = large(bench, image, 2 << 20)
    bench.time([program, "pack", "-f", base, "-o", "app.frz", "-k", KEY, "--region",
                "0x08210000:256K", os.path.join(ROOT, "samples", "hub")], 1)
    took, _ = bench.time([program, "splice", "-f", base, "-b", "app.frz", "-o", "large"], 21)
    yield Row("splice, 2 MiB", took, limit=20)
    took, _ = bench.time([program, "unsplice", "large", "-o", "back"], 21)
    yield Row("unsplice, 2 MiB", took, limit=20)


def rows(bench):
    program = bench.program("mpy-freeze")
    base = os.path.join(ROOT, "build", "firmware")
    hub = os.path.join(base, "pybricks-7.28.0")
    firmware("pybricks.sh", "7.28.0", hub)
    image = os.path.join(hub, "primehub", "firmware-base.bin")
    took, memory = bench.time([program, "build", "-f", image, "-o", "product",
                               os.path.join(ROOT, "samples", "hub")], 21)
    yield Row("4 modules into 297 KB, raw image", took, limit=10)
    took, memory = bench.time([program, "build", "-f", image, "-o", "product", "-k", KEY,
                               os.path.join(ROOT, "samples", "hub")], 21)
    yield Row("  signed (ECDSA P-256)", took, limit=10)
    yield from splices(bench, image)
    folder = modules(bench, 661)
    size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    big = large(bench, image, 1500 * 1000)
    took, memory = bench.time([program, "build", "-f", big, "-o", "product", "--region",
                               "0x08200000:1M", folder], 11)
    yield Row(f"661 modules ({size // 1024} KB) into 1500 KB, raw image", took, limit=30)
    yield Row("  peak memory", memory / 1024, limit=64, unit="MiB")
    took, memory = bench.time([program, "build", "-f", image, "-o", "product", folder], 11)
    yield Row(f"661 modules ({size // 1024} KB) into 297 KB, raw image", took, limit=30)
    yield Row("  peak memory", memory / 1024, limit=64, unit="MiB")
    yield from flash(bench, image, folder, "made")
    debian = os.path.join(base, "debian-trixie-amd64")
    firmware("debian.sh", "trixie", "amd64", debian)
    elf = os.path.join(debian, "root", "usr", "bin", "micropython")
    took, memory = bench.time([program, "build", "-f", elf, "-o", "product", folder], 11)
    yield Row(f"661 modules into {os.path.getsize(elf) // 1024} KB, position-independent ELF", took)
    yield Row("  peak memory", memory / 1024, limit=64, unit="MiB")
    yield from flash(bench, image, real_scripts(bench), "real")
