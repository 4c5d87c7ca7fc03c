#!/usr/bin/env python3
"""Compiled files must behave as their sources do: runs MicroPython's own tests (from Debian's source
package) and generated programs in real VMs, once as .py and once as our .mpy, and compares outputs.

    tests/conformance/semantics.py --build build [--quick]

The VMs: Debian's micropython of two suites, and the WebAssembly port of npm.
Exit code: 0 no difference, 1 differences, 77 no VM can be had."""
import argparse
import json
import multiprocessing
import os
import random
import re
import subprocess
import sys
import tempfile

import corpora

HERE = os.path.dirname(os.path.abspath(__file__))
LIB = os.path.join(os.path.dirname(HERE), "lib")
SUITES = {"trixie": "1.25.0", "forky": "1.26.1"}
WASM = ("@micropython/micropython-webassembly-pyscript@1.27.0", "1.27.0")
# Tests that look at memory, time, files, threads or the terminal, or need minutes.
UNFIT = re.compile(rb"time\.|mem_info|gc\.|open\(|_thread|import select|import os|ticks|random|"
                   rb"__file__|micropython\.(native|viper|asm)|input\(|0x7fffffff|id\(|heap")


def test_files(cache, quick):
    files = [(n, s) for n, s in corpora.debian(cache)
             if re.search(r"/tests/(basics|float|misc|stress|micropython|unicode)/", n)
             and not UNFIT.search(s)]
    rng = random.Random(1)
    return rng.sample(files, min(len(files), 60)) if quick else files


class Debian:
    def __init__(self, run):
        self.run = run

    def outputs(self, files):
        for path in files:
            environment = dict(os.environ, MICROPYPATH=os.path.dirname(path))
            try:
                done = subprocess.run([self.run, "-X", "heapsize=8m", "-c", "import t"], timeout=30,
                                      env=environment, capture_output=True, cwd="/")
                yield done.stdout + done.stderr.split(b"\n")[-2:][0]
            except subprocess.TimeoutExpired:
                yield b"timeout"


class Wasm:
    def __init__(self, folder):
        self.folder = folder

    def outputs(self, files):
        command = ["node", os.path.join(HERE, "vm.mjs"), self.folder, *files]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        got = dict(json.loads(x) for x in done.stdout.splitlines() if x.startswith("["))
        for path in files:
            yield got.get(path, "the VM ended").encode()


def vms(cache):
    arch = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True)
    for suite, release in SUITES.items():
        folder = os.path.join(cache, "vm-" + suite)
        done = subprocess.run([os.path.join(LIB, "debian.sh"), suite, arch.stdout.strip(), folder],
                              capture_output=True, text=True)
        if done.returncode == 0:
            yield "Debian " + suite, release, Debian(os.path.join(folder, "run"))
        else:
            print("skipped:", (done.stderr.strip().splitlines() or ["?"])[-1])
    folder = os.path.join(cache, "vm-wasm")
    if not os.path.exists(os.path.join(folder, "package")):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", WASM[0]], cwd=folder, capture_output=True)
        for archive in os.listdir(folder):
            subprocess.run(["tar", "-xf", archive], cwd=folder)
    if os.path.exists(os.path.join(folder, "package", "micropython.mjs")):
        yield "WebAssembly", WASM[1], Wasm(os.path.join(folder, "package"))
    else:
        print("skipped: the WebAssembly VM cannot be had from npm")


# What -O1 and up leave out on purpose.
DEBUGGING = re.compile(rb"assert|__debug__|print_exception|traceback|co_l|settrace")


def check(job):
    """None if a test cannot be compiled in that release, else (name, equal, source's, ours)."""
    compiler, release, vm, name, source, level = job
    level = 0 if DEBUGGING.search(source) else level
    with tempfile.TemporaryDirectory(prefix="semantics-") as folder:
        plain, compiled = os.path.join(folder, "py"), os.path.join(folder, "mpy")
        os.mkdir(plain)
        os.mkdir(compiled)
        path = os.path.join(plain, "t.py")
        with open(path, "wb") as f:
            f.write(source)
        target = os.path.join(compiled, "t.mpy")
        done = subprocess.run([compiler, "--release", release, f"-O{level}", "-s", "t.py", "-o",
                               target, path], capture_output=True)
        if done.returncode:
            return None
        theirs, ours = (re.sub(rb"0x[0-9a-f]+|/\S*/t\.m?py", b"?", o) for o in
                        vm.outputs([path, target]))
        return name, theirs == ours, theirs, ours


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--build", default="build")
    p.add_argument("--cache")
    p.add_argument("--quick", action="store_true")
    args = p.parse_args()
    cache = os.path.abspath(args.cache or os.path.join(args.build, "conformance"))
    compiler = os.path.join(os.path.abspath(args.build), "mpy-cross")
    files = test_files(cache, args.quick)
    machines = list(vms(cache))
    if not machines or not files:
        print("skipped: no VM or no test can be had")
        return 77
    different = 0
    for title, release, vm in machines:
        jobs = [(compiler, release, vm, name, source, i % 4)
                for i, (name, source) in enumerate(files)]
        if isinstance(vm, Wasm):
            jobs = jobs[::6]
        with multiprocessing.Pool(2) as pool:
            results = [r for r in pool.imap_unordered(check, jobs, chunksize=4) if r]
        bad = [r for r in results if not r[1]]
        different += len(bad)
        print(f"{title} ({release}): {len(results)} programs, {len(bad)} behave differently")
        for name, _, theirs, ours in bad[:10]:
            print(f"--- {name}\n source: {theirs[-300:]}\n .mpy:   {ours[-300:]}")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
