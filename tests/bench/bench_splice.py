"""Freeze and splice: 661 modules into a large firmware, 4 into a small one; process start and the
durable write of the product included."""
import os
import subprocess

from run import Row, Skip

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

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


def rows(bench):
    program = bench.program("mpy-freeze")
    base = os.path.join(ROOT, "build", "firmware")
    hub = os.path.join(base, "pybricks-7.28.0")
    firmware("pybricks.sh", "7.28.0", hub)
    image = os.path.join(hub, "primehub", "firmware-base.bin")
    took, memory = bench.time([program, "build", "-f", image, "-o", "product",
                               os.path.join(ROOT, "samples", "hub")], 21)
    yield Row("4 modules into 297 KB, raw image", took, limit=10)
    folder = modules(bench, 661)
    size = sum(os.path.getsize(os.path.join(folder, f)) for f in os.listdir(folder))
    took, memory = bench.time([program, "build", "-f", image, "-o", "product", folder], 11)
    yield Row(f"661 modules ({size // 1024} KB) into 297 KB, raw image", took, limit=30)
    yield Row("  peak memory", memory / 1024, limit=64, unit="MiB")
    debian = os.path.join(base, "debian-trixie-amd64")
    firmware("debian.sh", "trixie", "amd64", debian)
    elf = os.path.join(debian, "root", "usr", "bin", "micropython")
    took, memory = bench.time([program, "build", "-f", elf, "-o", "product", folder], 11)
    yield Row(f"661 modules into {os.path.getsize(elf) // 1024} KB, position-independent ELF", took)
    yield Row("  peak memory", memory / 1024, limit=64, unit="MiB")
