#!/usr/bin/env python3
"""Runs the benches of this folder and prints one table:

    tests/bench/run.py --build build [GROUP...]

A group is bench_GROUP.py with rows(bench), which yields Row(...), or bench_GROUP.sh, which prints
lines "name<TAB>ours<TAB>theirs<TAB>needed" (numbers; theirs may be empty, needed is a ratio
theirs/ours or "<=LIMIT" for ours alone) and gets BUILD and CACHE. A group that cannot run says so
with Skip (or exit code 77). Exit code: 0 all figures reached, 1 some not."""
import argparse
import glob
import importlib.util
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


class Skip(Exception):
    pass


class Row:
    """ours and theirs in the same unit; needed: theirs/ours at least, or limit: ours at most."""

    def __init__(self, name, ours, theirs=None, needed=None, limit=None, unit="ms"):
        self.name, self.ours, self.theirs, self.unit = name, ours, theirs, unit
        self.needed, self.limit = needed, limit

    def reached(self):
        if self.limit is not None:
            return self.ours <= self.limit
        return self.needed is None or (self.theirs and self.theirs / self.ours >= self.needed)

    def __str__(self):
        theirs = f"{self.theirs:12.2f}" if self.theirs else " " * 12
        ratio = f"{self.theirs / self.ours:8.1f}x" if self.theirs and self.ours else " " * 9
        goal = f">= {self.needed:g}x" if self.needed is not None else \
            f"<= {self.limit:g}" if self.limit is not None else ""
        state = "" if not goal else "ok" if self.reached() else "NOT REACHED"
        return f"{self.name:46s}{self.ours:12.2f}{theirs} {self.unit:5s}{ratio}  {goal:10s} {state}"


class Bench:
    """What a group gets: the build, a folder to keep downloads, one to work in, and a clock."""

    def __init__(self, build, cache, work):
        self.build, self.cache, self.work = build, cache, work

    def program(self, name):
        return os.path.join(self.build, name)

    def measure(self, command, runs, cwd=None):
        """(median ms, least ms, peak KiB, exit code) of some runs, output thrown away."""
        done = subprocess.run([os.path.join(self.build, "bench-measure"), str(runs), *command],
                              cwd=cwd or self.work, capture_output=True, text=True, check=True)
        median, least, peak, code = done.stdout.split()
        return float(median) / 1000, float(least) / 1000, int(peak), int(code)

    def time(self, command, runs, cwd=None):
        """Least wall time in ms (others may use the machine too), and peak KiB. The command must
        succeed."""
        _, least, peak, code = self.measure(command, runs, cwd)
        if code:
            raise Skip(f"{' '.join(command[:3])} ... ends with {code}")
        return least, peak


def load(path):
    spec = importlib.util.spec_from_file_location(os.path.basename(path)[:-3], path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shell_rows(path, bench):
    environment = dict(os.environ, BUILD=bench.build, CACHE=bench.cache)
    done = subprocess.run(["bash", path], capture_output=True, text=True, env=environment)
    if done.returncode == 77:
        raise Skip((done.stdout + done.stderr).strip().splitlines()[-1])
    for line in done.stdout.splitlines():
        name, ours, theirs, needed = (line.split("\t") + ["", "", ""])[:4]
        limit = float(needed[2:]) if needed.startswith("<=") else None
        yield Row(name, float(ours), float(theirs) if theirs else None,
                  float(needed) if needed and limit is None else None, limit)
    if done.returncode:
        raise Skip(f"ended with {done.returncode}: {done.stderr.strip()[-200:]}")


def main():
    p = argparse.ArgumentParser(description="Runs the benches.")
    p.add_argument("--build", default="build")
    p.add_argument("groups", nargs="*")
    args = p.parse_args()
    build = os.path.abspath(args.build)
    cache = os.path.join(build, "conformance")
    missed = 0
    for path in sorted(glob.glob(os.path.join(HERE, "bench_*.*"))):
        group = os.path.basename(path).split(".")[0][len("bench_"):]
        if args.groups and group not in args.groups:
            continue
        print(f"\n{group:46s}{'ours':>12s}{'reference':>12s}", flush=True)
        with tempfile.TemporaryDirectory(prefix="bench-") as work:
            bench = Bench(build, cache, work)
            try:
                for row in load(path).rows(bench) if path.endswith(".py") else \
                        shell_rows(path, bench):
                    print(row, flush=True)
                    missed += not row.reached()
            except Skip as e:
                print(f"skipped: {e}")
    print(f"\n{missed} figures not reached")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.modules["run"] = sys.modules["__main__"]
    sys.exit(main())
