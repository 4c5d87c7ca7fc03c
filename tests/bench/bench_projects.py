"""Projects: the edit loop of a 60-module product, and many boards at once from cold."""
import os
import shutil
import subprocess

from run import Row, Skip

MODULES = 60
BOARDS = 20
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def firmwares():
    """Stock images of the tests; two hubs whose flash has room for the modules."""
    script = ". tests/lib/script.sh; hub_firmware primehub && hub_firmware essentialhub"
    done = subprocess.run(["bash", "-c", script], cwd=TOP, capture_output=True, text=True)
    if done.returncode:
        raise Skip((done.stderr.strip().splitlines() or ["no firmware"])[-1])
    return [os.path.join(TOP, line) for line in done.stdout.split()]


def script(number):
    """About 2 KB: functions, a class, constants and strings, different in every module."""
    lines = [f"# module {number}", "import time", f"LIMIT = {number * 7}"]
    for k in range(8):
        lines += [f"def step_{k}(value, scale={k}):",
                  f"    parts = [value, scale, {number * 31 + k}, 'part {number} {k}']",
                  "    for i in range(scale):",
                  f"        parts.append(i * value + {k} if i % 2 else -i)",
                  f"    return {{'name_{k}': parts, 'count': len(parts)}}"]
    lines += [f"class Device{number}:", "    def __init__(self, port):", "        self.port = port",
              "    def read(self):", "        return step_0(self.port)['count'] + LIMIT"]
    return "\n".join(lines) + "\n"


def make_project(folder, program, images, boards):
    os.makedirs(os.path.join(folder, "src", "lib"))
    for i in range(MODULES):
        name = f"src/lib/module_{i}.py" if i else "src/lib/__init__.py"
        with open(os.path.join(folder, name), "w") as f:
            f.write(script(i))
    with open(os.path.join(folder, "src", "main.py"), "w") as f:
        f.write("import lib\nwhile True:\n    lib.step_0(1)\n")
    subprocess.run([program, "keygen", "-o", "key.pem"], cwd=folder, check=True, capture_output=True)
    with open(os.path.join(folder, "mpy-freeze.ini"), "w") as f:
        f.write("[product]\napp = bench\nversion = 1\ninputs = src/\nkey = key.pem\n")
        for i in range(boards):
            f.write(f"\n[board{i}]\nfirmware = fw{i}.bin\noutput = out/product{i}.bin\n")
            # Boards have firmwares of their own: a byte behind the end makes each another file.
            shutil.copy(images[i % len(images)], os.path.join(folder, f"fw{i}.bin"))
            with open(os.path.join(folder, f"fw{i}.bin"), "ab") as fw:
                fw.write(bytes(4 * (i + 1)))


def edit_and_build(bench, program, folder, runs=9):
    times = []
    for i in range(runs):
        with open(os.path.join(folder, "src/lib/module_5.py"), "a") as f:
            f.write(f"# edit {i}\nEDIT_{i} = {i}\n")
        times.append(bench.time([program, "build"], 1, cwd=folder)[0])
    return min(times)


def cold(bench, program, folder, runs=3):
    times = []
    for _ in range(runs):
        shutil.rmtree(os.path.join(folder, "out"), ignore_errors=True)
        if os.path.exists(os.path.join(folder, ".mpy-freeze.cache")):
            os.remove(os.path.join(folder, ".mpy-freeze.cache"))
        times.append(bench.time([program, "build"], 1, cwd=folder)[0])
    return min(times)


def rows(bench):
    program = bench.program("mpy-freeze")
    images = firmwares()
    one, many = os.path.join(bench.work, "one"), os.path.join(bench.work, "many")
    make_project(one, program, images, 1)
    bench.time([program, "build"], 1, cwd=one)
    yield Row(f"edit of one of {MODULES} modules to signed product", edit_and_build(bench, program, one),
              limit=30)
    yield Row("nothing changed", bench.time([program, "build"], 5, cwd=one)[0])
    make_project(many, program, images, BOARDS)
    yield Row(f"{BOARDS} boards x {MODULES} modules from cold", cold(bench, program, many), limit=1000)
    yield Row(f"{BOARDS} boards, nothing changed", bench.time([program, "build"], 3, cwd=many)[0])
