"""The compiler against mpy-cross of the newest release, in the same run."""
import os
import subprocess
import sys

from run import Row, Skip

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))
import corpora  # noqa: E402
import oracle  # noqa: E402


UNIT = '''
class Sensor{n}(Device):
    """One of many."""
    RATE = {n} * 10

    def __init__(self, bus, address=0x{n:02x}, *, name="sensor{n}"):
        super().__init__(bus)
        self.address = address
        self.name = name
        self._last = None
        self._filter = [0.0, 1.5, {n}.25]

    @property
    def value(self):
        raw = self.bus.read(self.address, 2)
        if raw is None or len(raw) < 2:
            raise OSError("no answer from %s" % self.name)
        return (raw[0] << 8 | raw[1]) / 16.0

    def smooth(self, count=10):
        total = 0
        for i in range(count):
            try:
                v = self.value
            except OSError as e:
                print("retry", i, e)
                continue
            if v > self.RATE and not self._last:
                break
            total += v * self._filter[i % 3]
            self._last = {{"at": i, "v": v}}
        else:
            total = total // count
        return [x for x in self._filter if x != total], total

    async def watch(self, callback):
        while True:
            await sleep(self.RATE)
            callback(f"{{self.name}}: {{self.value}}", key=lambda x: x.address & 0xff)
'''


def ordinary(lines):
    per = UNIT.count("\n")
    head = "from machine import I2C\nfrom device import Device\nimport asyncio\n"
    return head + "".join(UNIT.format(n=n % 200) for n in range(max(1, lines // per)))


def different(functions):
    return "".join(f"def fun_{n}(arg, b{n}=None):\n    t{n} = arg + {n}\n    if b{n}:\n"
                   f"        t{n} *= b{n}\n    for i in range({n}):\n        t{n} += i\n"
                   f"    print('fun {n}', t{n})\n    return t{n}\n" for n in range(functions))


# Small integers: constants that are objects make the reference search all of them for each.
def int_list(size):
    parts, length, n = [], 0, 0
    while length < size:
        text = str(n * 2654435761 % 1073741824)
        parts.append(text)
        length += len(text) + 2
        n += 1
    return "x = [" + ", ".join(parts) + "]\n"


class Sides:
    def __init__(self, bench):
        release = oracle.RELEASES[-1]
        have, missing = oracle.fetch_all(bench.cache, [release])
        if missing:
            raise Skip("no reference: " + missing[release])
        self.bench = bench
        self.theirs = os.path.abspath(have[release])
        self.ours = bench.program("mpy-cross")

    def compare(self, name, source, needed, runs, reference_runs, heap=None):
        # A larger heap than needed only slows the reference down.
        options = ["-X", "heapsize=" + heap] if heap else []
        path = os.path.join(self.bench.work, "a.py")
        with open(path, "w", encoding="utf-8") as f:
            f.write(source)
        ours, memory = self.bench.time([self.ours, *options, "-o", "o.mpy", "a.py"], runs)
        theirs, _ = self.bench.time([self.theirs, *options, "-o", "r.mpy", "a.py"], reference_runs)
        with open(os.path.join(self.bench.work, "o.mpy"), "rb") as a, \
                open(os.path.join(self.bench.work, "r.mpy"), "rb") as b:
            if a.read() != b.read():
                yield Row(name + " (OUTPUTS DIFFER)", ours, theirs, needed=float("inf"))
                return
        yield Row(name, ours, theirs, needed=needed)
        self.last = len(source), ours, memory


def library(bench, sides):
    """A library in one process against one process a file."""
    files = [f for f in corpora.stdlib(bench.cache) if len(f[1]) < 20_000]
    good = []
    for i, (_, source) in enumerate(files):
        path = os.path.join(bench.work, f"m{i}.py")
        with open(path, "wb") as f:
            f.write(source)
        if bench.measure([sides.theirs, "-o", "r.mpy", path], 1)[3] == 0:
            good.append(path)
        if len(good) == 507:
            break
    # Both write their files for the first time, and then again.
    outs = [os.path.join(bench.work, f"out{i}") for i in range(5)]
    for out in outs:
        os.makedirs(out)
    first = min(bench.time([sides.ours, "-o", out, *good], 1)[0] for out in outs)
    again, _ = bench.time([sides.ours, "-o", outs[0], *good], 5)
    theirs_first, theirs_again = 0, 0
    for i, path in enumerate(good):
        command = [sides.theirs, "-o", f"r{i}.mpy", path]
        theirs_first += bench.measure(command, 1)[1]
        theirs_again += bench.measure(command, 3)[1]
    yield Row(f"{len(good)} files of a library, one process", first, theirs_first, needed=20)
    yield Row("  again, over the same outputs", again, theirs_again, needed=20)


SHAPE_SIZE = 4_000_000
SHAPE_FLOOR = 4 << 20


def shapes(bench, ours):
    """Scripts of one construct alone. Without source lines: a function's table of lines counts from
    line 1, so that 400,000 functions have an output many times their source."""
    folder = os.path.join(bench.work, "shapes")
    os.makedirs(folder)
    listed = subprocess.run([bench.program("bench-shapes"), folder, str(SHAPE_SIZE)], check=True,
                            capture_output=True, text=True).stdout
    memory, time = [], []
    for line in listed.splitlines():
        number, name = line.split("\t")
        path = os.path.join(folder, number + ".py")
        _, least, peak, _ = bench.measure([ours, "-X", "no-source-lines", "-o", "s.mpy", path], 1)
        memory.append(((peak * 1024 - SHAPE_FLOOR) / SHAPE_SIZE, name))
        time.append((least / (SHAPE_SIZE / 1e6), name))
    memory.sort(reverse=True)
    for ratio, name in memory[:6]:
        yield Row(f"  memory over 4 MB of {name}", ratio, limit=12, unit="x")
    over = sum(ratio > 12 for ratio, _ in memory)
    yield Row(f"  of {len(memory)} kinds of source, over 12x", over, limit=0, unit="")
    took, name = max(time)
    yield Row(f"  slowest: ms for 1 MB of {name}", took, unit="ms")


def rows(bench):
    sides = Sides(bench)
    yield from sides.compare("200 lines, process start included", ordinary(200), None, 200, 100)
    _, took, memory = sides.last
    yield Row("  the same, ms", took, limit=1.2)
    yield Row("  peak memory", memory / 1024, limit=4, unit="MiB")
    yield from sides.compare("5,000 lines", ordinary(5000), 15, 60, 15)
    yield from sides.compare("96,000 lines", ordinary(96000), 50, 15, 1, "64m")
    size, took, memory = sides.last
    yield Row("  megabytes per second", size / 1000 / took, needed=None, unit="MB/s")
    yield Row("  milliseconds for a megabyte (30 MB/s)", took / (size / 1e6), limit=1000 / 30)
    yield Row("  peak memory over the source", memory * 1024 / size, limit=12, unit="x")
    yield from sides.compare("100,000 lines, 12,500 functions", different(12500), 200, 15, 1, "64m")
    size, took, memory = sides.last
    yield Row("  peak memory over the source", memory * 1024 / size, limit=12, unit="x")
    yield from sides.compare("10 MB list of ints", int_list(10_000_000), 150, 7, 1, "64m")
    size, took, memory = sides.last
    yield Row("  peak memory over the source", memory * 1024 / size, limit=12, unit="x")
    yield from shapes(bench, sides.ours)
    try:
        yield from library(bench, sides)
    except Skip as e:
        yield Row(f"library ({e})", float("inf"), limit=0)
