#!/usr/bin/env bash
# Manifests: the files, names, levels and kinds that upstream's tools give, in the same order; the
# errors, with line and column. The expected lists were made with MicroPython's tools/manifestfile.py,
# os.walk sorted by name.
. "$(dirname "$0")/../lib/script.sh"
cd tests/projects/manifest || exit 1

for m in calls language; do
    mpy-freeze list $m.py --define BOARD_DIR=board 2>"$work/err" | sed "s#$PWD/##; s/ *  (C code.*//" >"$work/out" ||
        wrong "$m.py: $(cat "$work/err")"
    diff -u $m.expected "$work/out" || wrong "$m.py gives another list"
done

mpy-freeze list calls.py --define BOARD_DIR=board --json >"$work/json" || wrong "--json"
python3 - "$work/json" <<'END' || wrong "the JSON does not agree with the table"
import json, sys
d = json.load(open(sys.argv[1]))
m = d["modules"]
assert d["schema"] == "mpy-freeze/list/1" and len(m) == 34 and len(d["c_modules"]) == 1
assert [x["version"] for x in m if x["name"] == "util.py"] == ["1.2.3"]
assert [x["opt"] for x in m][:2] == [None, 3]
END

# Each block: a manifest, then the message with its place.
check() { # check LINE:COLUMN TEXT, the manifest on stdin
    cat >"$work/manifest.py"
    mpy-freeze list "$work/manifest.py" >"$work/out" 2>"$work/err"
    local status=$?
    [ $status -eq 3 ] || wrong "exit code $status for: $2"
    [ ! -s "$work/out" ] || wrong "words on stdout for: $2"
    grep -qF "manifest.py:$1: error: $2" "$work/err" || wrong "expected $1 $2, got: $(head -1 "$work/err")"
}
check 2:1 "module must be .py file" <<'END'

module("x.txt")
END
check 1:1 "Cannot stat $work/absent.py" <<<'module("absent.py")'
check 1:1 "FileNotFoundError: [Errno 2] No such file or directory: '$work/absent'" <<<'freeze("absent")'
check 1:1 "FileNotFoundError: [Errno 2] No such file or directory: '$work/absent.py'" <<<'include("absent.py")'
check 1:1 "ValueError: Package 'x' not found in any known library." <<<'require("x")'
check 1:1 "ValueError: Unknown library 'l' for require('x')." <<<'require("x", library="l")'
check 1:24 "ValueError: Package 'x' not found in external library 'l' ($work)." <<<'add_library("l", "."); require("x", library="l")'
check 2:1 "Duplicate call to metadata()." <<<'metadata(version="1")
metadata(version="2")'
check 1:1 "C module path does not exist: $work/absent" <<<'c_module("absent")'
check 1:1 "Unresolved variable in c_module() path: \$(NOPE)" <<<'c_module("$(NOPE)/x")'
check 1:1 "TypeError: module() got an unexpected keyword argument 'wrong'" <<<'module("a.py", wrong=1)'
check 1:7 "NameError: name 'nobody' is not defined" <<<'print(nobody)'
check 1:1 "unsupported in a manifest: class" <<<'class A: pass'
check 2:5 "unsupported in a manifest: with" <<<'if 1:
    with open("x") as f: pass'
check 1:8 "unsupported in a manifest: the module 'subprocess'" <<<'import subprocess'
check 1:1 "unsupported in a manifest: open()" <<<'open("x")'
check 1:1 "unsupported in a manifest: str.swapcase" <<<'"x".swapcase()'
check 1:12 "unsupported in a manifest: os.remove" <<<'import os; os.remove("x")'
check 1:5 "unsupported in a manifest: yield" <<<'x = yield'
check 1:7 "SyntaxError: invalid syntax" <<<'module)'
check 1:13 "unsupported in a manifest: the manifest does not come to an end within 4000000 steps" <<<'while True: pass'
# What holds one object in many places is small in memory and not to be gone through.
check 4:1 "unsupported in a manifest: the manifest does not come to an end" <<<'x = [1]; y = [1]
for i in range(60):
    x = [x, x]; y = [y, y]
print(x < y)'
check 4:1 "unsupported in a manifest: a text of more than 1048576 bytes" <<<'x = [1]
for i in range(60):
    x = [x, x]
print(x)'
check 2:5 "unsupported in a manifest: calls and includes nested" <<<'def f():
    f()
f()'
check 1:5 "unsupported in a manifest: a repetition" <<<'x = "a" * (10 ** 12)'

mkdir "$work/a"
echo 'include("../manifest.py")' >"$work/a/manifest.py"
echo 'include("a"); module("absent.py")' >"$work/manifest.py"
mpy-freeze list "$work/a/manifest.py" 2>"$work/err"
grep -q "included from $work/a/manifest.py:1" "$work/err" || wrong "the include is not named: $(cat "$work/err")"

mpy-freeze list calls.py --define nothing >/dev/null 2>&1
[ $? -eq 2 ] || wrong "--define without = is not a usage error"
[ $failures -eq 0 ]
