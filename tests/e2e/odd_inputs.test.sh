#!/usr/bin/env bash
# Odd inputs are right, or refused with words: deep nesting, huge scripts, many modules, links,
# folders and pipes in place of files, names with blanks, newlines, UTF-8 and invalid UTF-8, Windows
# line ends. Nothing hangs (each command gets a minute of processor time, and ten of anything) and nothing
# crashes (no exit code above 5).
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware

# try CODES PATTERN COMMAND...: one of the exit codes, and words on stderr if it failed.
try() {
    local codes=$1 pattern=$2 status
    shift 2
    (ulimit -t 60 && exec timeout 600 "$@") >"$work/stdout" 2>"$work/stderr"
    status=$?
    case " $codes " in
    *" $status "*) ;;
    *) wrong "exit $status, not $codes: $* : $(head -c 300 "$work/stderr")" ;;
    esac
    [ $status -eq 0 ] || [ -s "$work/stderr" ] || wrong "no words: $*"
    [ $status -eq 0 ] || grep -aEq -- "$pattern" "$work/stderr" || wrong "no '$pattern' in $(head -c 300 "$work/stderr")"
}
build() { try "$1" "$2" mpy-freeze build -f "$stock" -o "$work/p" "${@:3}"; }
runs() { (mkdir -p "$work/empty" && cd "$work/empty" && MICROPYTHON=$work/p "$run" -c "$1" 2>&1); }
script() { cat >"$work/in.py"; }
compile() { try "$1" "$2" mpy-freeze compile "$work/in.py" -o "$work/out.mpy"; }

# Names.
mkdir -p "$work/odd/with blank" && echo 'X = 1' >"$work/odd/with blank/module one.py"
echo 'X = 2' >"$work/odd/grüße.py"
build "0" '' "$work/odd"
[ "$(runs 'print(__import__("grüße").X, __import__("with blank/module one").X)')" = "2 1" ] ||
    wrong "names with blanks and UTF-8: $(runs 'print(__import__("grüße").X)')"
mkdir "$work/newline" && echo 'X = 3' >"$work/newline/$(printf 'a\nb').py"
build 1 'without control characters' "$work/newline"
mkdir "$work/invalid" && echo 'X = 4' >"$work/invalid/$(printf 'a\xffb').py"
build 0 '' "$work/invalid"
mpy-freeze list "$work/p" | grep -aq "$(printf 'a\xffb.py')" || wrong "a name that is not UTF-8"
mpy-freeze list --json "$work/p" | python3 -m json.tool >/dev/null || wrong "list --json is not JSON"

# What is not a regular file.
mkdir "$work/folder.py"
build "2 3 4" '' "$work/folder.py/nothing"
mkfifo "$work/pipe.py"
(echo 'X = 5' >"$work/pipe.py") &
build "0 4" '' "$work/pipe.py"
wait
mkfifo "$work/silent.py"
build 4 'nobody writes' "$work/silent.py"
try 4 '' mpy-freeze unsplice "$work/p" -o "$work/silent.py"
mpy-freeze compile "$work/odd/grüße.py" -o /dev/stdout >"$work/stdout.mpy" || wrong "output to /dev/stdout"
mpy-freeze check "$work/stdout.mpy" >/dev/null || wrong "/dev/stdout got something else"
try 4 'No space' mpy-freeze unsplice "$work/p" -o /dev/full
truncate -s 300M "$work/huge"
try 4 'at most' mpy-freeze build -f "$work/huge" -o "$work/p" "$work/odd"
escape=$(printf 'a\033[31mb')
try 4 'a.\[31mb' mpy-freeze check "$work/$escape.mpy"
! grep -q "$(printf '\033')" "$work/stderr" || wrong "an escape sequence reaches the terminal"
try "4" 'folder' mpy-freeze build -f "$work" -o "$work/p" "$work/odd"
try "3" '' mpy-freeze build -f /dev/null -o "$work/p" "$work/odd"
mkdir "$work/loop" && ln -s . "$work/loop/again" && echo 'X = 6' >"$work/loop/m.py"
build "0 2 4" '' "$work/loop"
ln -s "$work/nowhere.py" "$work/dangling.py"
build "4" 'dangling' "$work/dangling.py"
mkdir "$work/none"
build "2 3" '' "$work/none"

# No output replaces what it is made of, however that was named.
mkdir "$work/own" && cd "$work/own" || exit 1
keep() { # keep FILE COMMAND...: refused, and the file is as it was
    local file=$1 before
    before=$(sha256sum <"$file")
    shift
    try 2 'would replace an input' "$@"
    [ "$(sha256sum <"$file")" = "$before" ] || wrong "$file was replaced: $*"
}
mkdir folder && echo 'X = 7' >folder/a.py && echo 'X = 8' >b.py && echo pass >pass && cp "$stock" base
echo 'include("inner.py"); freeze("folder")' >manifest.py && echo 'module("b.py")' >inner.py
printf '[A]\nlike = PYBV11\n' >board.ini
mpy-freeze keygen -o key.pem && mpy-freeze pubkey -k key.pem -o pub.pem || wrong keygen
for command in build pack; do
    keep folder/a.py mpy-freeze $command -f base -o folder/a.py folder
    for file in b.py inner.py manifest.py folder/a.py; do
        keep $file mpy-freeze $command -f base -o $file manifest.py
    done
    keep b.py mpy-freeze $command -f base -o b.py --main b.py
    keep b.py mpy-freeze $command -f base -o b.py --boot b.py
    keep key.pem mpy-freeze $command -f base -o key.pem -k key.pem b.py
    keep pass mpy-freeze $command -f base -o pass --passphrase-file pass -k key.pem b.py
    keep board.ini mpy-freeze $command -f base -o board.ini --board board.ini b.py
    ln folder/a.py x.modules
    keep folder/a.py mpy-freeze $command -f base -o x --detach-modules folder
    rm x.modules
done
mpy-freeze pack -f base -o app.frz b.py >/dev/null 2>&1 || wrong pack
keep key.pem mpy-freeze sign app.frz -k key.pem -o key.pem
keep pass mpy-freeze sign app.frz -k key.pem --passphrase-file pass -o pass
keep pub.pem mpy-freeze sign app.frz --digest-out pub.pem --pub pub.pem
keep pub.pem mpy-freeze sign app.frz --signature-in pass --pub pub.pem -o pub.pem
keep key.pem mpy-freeze pubkey -k key.pem -o key.pem
keep pass mpy-freeze pubkey -k key.pem --passphrase-file pass -o pass
cd - >/dev/null || exit 1

# Text.
printf 'def f():\r\n\tif 1:\r\n\t\treturn "crlf"\r\nprint(f())\r\n' >"$work/crlf.py"
build 0 '' "$work/crlf.py"
[ "$(runs 'import crlf')" = crlf ] || wrong "Windows line ends: $(runs 'import crlf')"
: >"$work/void.py"
build 0 '' "$work/void.py"
[ "$(runs 'import void; print(1)')" = 1 ] || wrong "an empty script"

# Depth and size.
python3 -c 'print("x = " + "(" * 100000 + "1" + ")" * 100000)' | script
compile "0 3" ''
python3 -c 'print("x = " + "[" * 100000)' | script
compile 3 ''
python3 -c 'print("x = " + "-" * 200000 + "1")' | script
compile "0 3" ''
python3 -c 'print("x = " + "not " * 100000 + "1")' | script
compile "0 3" ''
python3 -c 'print("\n".join(" " * i + "if 1:" for i in range(3000)) + "\n" + " " * 3000 + "pass")' | script
compile "0 3" ''
python3 -c 'print("\n".join(" " * i + "def f():" for i in range(3000)) + "\n" + " " * 3000 + "pass")' | script
compile "0 3" ''
python3 -c 'print("x = a" + ".b" * 300000)' | script
compile "0 3" ''
python3 -c 'print("x = 3 ** 10 ** 9")' | script
compile "0 3" ''
python3 -c 'print("x = 0x7fffffff ** 10 ** 20")' | script
compile "0 3" ''
python3 -c 'print("x = 1 << 0x7fffffff")' | script
compile "0 3" ''
python3 -c 'print("def f():\n" + "".join("  v%d = 1\n" % i for i in range(300)) + "  def g():\n" + "".join("    v%d\n" % i for i in range(300)))' | script
compile "0 3" ''
python3 -c 'print("n" * 300 + " = 1")' | script
compile "0 3" ''
head -c 3000000 /dev/urandom >"$work/in.py"
compile 3 ''
yes 'value = [1, 2.5, "text", (1, 2)] + other(value)' | head -c 100000000 | sed '$d' >"$work/in.py"
compile "0 3 4" ''
python3 -c '
for i in range(2000):
    open("'"$work"'/many_%d.py" % i, "w").write("X = %d\n" % i)'
mkdir "$work/many" && mv "$work"/many_*.py "$work/many"
build "0" '' "$work/many"
[ "$(runs 'import many_1999, many_0; print(many_1999.X, many_0.X)')" = "1999 0" ] || wrong "2,000 modules: $(runs 'import many_1999')"
python3 -c '
import os, sys
os.mkdir(sys.argv[1])
os.chdir(sys.argv[1])
for i in range(100000):
    if i % 50000 == 0:  # a file may have so many names
        first = "m%d.py" % i
        open(first, "w").write("X = 1\n")
    else:
        os.link(first, "m%d.py" % i)' "$work/legion"
build 2 'more than 65536 modules' "$work/legion"
# A version that a vendor writes in its own way: sys.implementation tells the release.
sed 's/v1\.\([0-9]*\)\.\([0-9]*\)+/v1.\1.\2_/g' "$stock" >"$work/vendor"
mpy-freeze info "$work/vendor" | grep -Eq 'MicroPython +1\.[0-9.]+_' || wrong "the vendor's version is not shown"
echo 'X = 5' >"$work/vendored.py"
try "0" '' mpy-freeze build -f "$work/vendor" -o "$work/p" "$work/vendored.py"

[ $failures -eq 0 ]
