#!/usr/bin/env python3
"""Sums up gcov's counts of a build made with --coverage: tests/lib/coverage.py BUILD

By file, then by room; BUILD/missed.txt gets every line that was not run and every branch that was
not taken, with its text. The exit code is 1 where a room is below its goal.
"""
import json
import pathlib
import subprocess
import sys

ROOMS = ("format", "verify", "packer")
# Per cent of the lines in a folder that the tests must run.
GOALS = {"format": 95.0, "verify": 95.0, "verify/core": 100.0}


def counts(build):
    """{file: {line: (count, [count of each branch])}}"""
    files = {}
    for data in sorted(build.rglob("*.gcda")):
        gcov = subprocess.run(["gcov", "--json-format", "--stdout", "-b", "-o", data.parent, data],
                              capture_output=True, check=True)
        for file in json.loads(gcov.stdout)["files"]:
            name = file["file"]
            if name.startswith(tuple(room + "/" for room in ROOMS)) and name.endswith(".c"):
                lines = files.setdefault(name, {})
                for line in file["lines"]:
                    taken = [branch["count"] for branch in line["branches"]]
                    lines[line["line_number"]] = (line["count"], taken)
    return files


def share(hit, of):
    return 100.0 * hit / of if of else 100.0


def sums(lines):
    taken = [count for _, branches in lines for count in branches]
    return (sum(count > 0 for count, _ in lines), len(lines),
            sum(count > 0 for count in taken), len(taken))


def row(lines):
    hit, of, branch_hit, branch_of = sums(lines)
    return (f"{share(hit, of):6.1f} % of {of:5} lines  "
            f"{share(branch_hit, branch_of):6.1f} % of {branch_of:5} branches")


def missed(name, lines):
    text = pathlib.Path(name).read_text(encoding="utf-8").splitlines()
    for number, (count, branches) in sorted(lines.items()):
        source = "".join(text[number - 1:number]).strip()  # none if the file was changed since
        never = [str(i) for i, taken in enumerate(branches) if taken == 0]
        if count == 0:
            yield f"{name}:{number}: not run: {source}"
        elif never:
            yield f"{name}:{number}: branch {' '.join(never)} of {len(branches)}: {source}"


def main():
    build = pathlib.Path(sys.argv[1])
    files = counts(build)
    for name, lines in sorted(files.items()):
        print(f"{row(lines.values())}  {name}")
    with open(build / "missed.txt", "w", encoding="utf-8") as out:
        for name, lines in sorted(files.items()):
            out.writelines(line + "\n" for line in missed(name, lines))
    low = False
    for room in sorted({*ROOMS, *GOALS}):
        lines = [line for name, of in files.items() if name.startswith(room + "/")
                 for line in of.values()]
        hit, of, _, _ = sums(lines)
        goal = GOALS.get(room, 0.0)
        low |= share(hit, of) < goal
        print(f"= {room}: {row(lines)}" + (f"  (goal {goal:.0f} %)" if goal else ""))
    print(f"what was missed: {build / 'missed.txt'}" + ("; BELOW THE GOAL" if low else ""))
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
