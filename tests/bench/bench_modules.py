"""Looking into images and modules: info, list, extract, dis and check. info is per MB of image, list
is of an image with 60 frozen modules."""
import os
import shutil
import subprocess

from run import Row, Skip

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

MODULE = '''
NAMES = ("alpha{n}", {n}.5, b"raw{n}", "a text that is longer than a name, number {n}")

class Part{n}:
    def __init__(self, size=3):
        self.size = size

    def add(self, item, *more, key=None):
        try:
            self.items_{n}.append((item, more, key))
        except ValueError as e:
            print(e)
        finally:
            self.size += 1
        return [i for i in self.items_{n} if i % {n}]
'''


def debian():
    folder = os.path.join(ROOT, "build", "firmware", "debian-trixie-amd64")
    done = subprocess.run([os.path.join(ROOT, "tests", "lib", "debian.sh"), "trixie", "amd64",
                           folder], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Skip((done.stderr or done.stdout).strip().splitlines()[-1])
    return os.path.join(folder, "root", "usr", "bin", "micropython")


def product(bench, firmware):
    """The firmware with 51 more modules: 60 in all."""
    folder = os.path.join(bench.work, "scripts")
    os.makedirs(folder)
    for n in range(51):
        with open(os.path.join(folder, f"part{n}.py"), "w") as f:
            f.write(MODULE.format(n=n + 1))
    bench.time([bench.program("mpy-freeze"), "build", "-f", firmware, "-o", "product", folder], 1)
    return os.path.join(bench.work, "product")


def large(bench):
    """One .mpy of some 100 KB."""
    script = os.path.join(bench.work, "large.py")
    with open(script, "w") as f:
        f.writelines(MODULE.format(n=n + 1) for n in range(500))
    bench.time([bench.program("mpy-cross"), script], 1)
    return os.path.join(bench.work, "large.mpy")


def rows(bench):
    program = bench.program("mpy-freeze")
    firmware = debian()
    image = product(bench, firmware)
    size = os.path.getsize(image)
    took, memory = bench.time([program, "info", image], 21)
    yield Row("info, per MB of image", took * 1e6 / size, limit=30)
    yield Row("info, peak memory / image size", memory * 1024 / size, limit=5, unit="x")
    took, memory = bench.time([program, "list", image], 21)
    yield Row("list, 60 modules", took, limit=50)
    yield Row("list, peak memory / image size", memory * 1024 / size, limit=5, unit="x")
    took, _ = bench.time([program, "dis", image], 11)
    yield Row("dis, 60 modules", took)
    took, _ = bench.time([program, "check", image], 11)
    yield Row("check, 60 modules", took)
    took, _ = bench.time([program, "extract", "--force", "-d", "out", image], 5)
    yield Row("extract, 60 modules (durable writes)", took)
    mpy = large(bench)
    kilobytes = os.path.getsize(mpy) / 1000
    took, _ = bench.time([program, "check", mpy], 11)
    yield Row(f"check, one .mpy of {kilobytes:.0f} KB", took)
    took, _ = bench.time([program, "dis", mpy], 11)
    tool = os.path.join(ROOT, "build", "conformance", "debian-source")
    tool = next((os.path.join(d, "mpy-tool.py") for d, _, files in os.walk(tool)
                 if "mpy-tool.py" in files), None)
    theirs = bench.time([shutil.which("python3"), tool, "-d", mpy], 3)[0] if tool else None
    yield Row(f"dis, one .mpy of {kilobytes:.0f} KB; mpy-tool.py -d", took, theirs)
