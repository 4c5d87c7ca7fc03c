#!/usr/bin/env bash
# Projects: mpy-freeze.ini builds all its rows; what did not change is not made again; a broken cache
# is never trusted; errors name the file and the line.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware
key=$work/key.pem pub=$work/pub.pem
mpy-freeze keygen -o "$key" >/dev/null && mpy-freeze pubkey -k "$key" -o "$pub" >/dev/null || exit 1
field() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$@"; }

mkdir -p "$work/p/src/pkg"
cd "$work/p" || exit 1
for i in 1 2 3 4; do echo "def f(): return $i" >src/m$i.py; done
echo 'from . import x' >src/pkg/__init__.py
echo 'X = 1' >src/pkg/x.py
echo 'import m1; print("product", m1.f())' >src/main.py
cp src/m1.py 'odd name.py'
cat >mpy-freeze.ini <<END
; a comment
[product]
app = demo
version = 1.5
counter = 7
inputs = src/
key = $key

[one]
firmware = $stock
output = out/deep/one.bin

[two]
firmware = $stock
inputs = src/m1.py "odd name.py"
main = src/main.py
optimise = 3
output = out/two.bin
END
mpy-freeze build --json >"$work/json" 2>"$work/err" || wrong "build: $(cat "$work/err")"
[ "$(field "$work/json" '[r["status"] for r in d["products"]]')" = "['built', 'built']" ] || wrong "not both are built"
[ "$(field "$work/json" '[r["modules"] for r in d["products"]]')" = "[7, 3]" ] || wrong "modules: $(field "$work/json" '[r["modules"] for r in d["products"]]')"
for f in out/deep/one.bin out/two.bin; do
    mpy-verify "$f" -k "$pub" --min-counter 7 >/dev/null || wrong "$f does not verify"
done
cp out/deep/one.bin "$work/first"

mpy-freeze build --json >"$work/json" || wrong "second build"
[ "$(field "$work/json" '(d["unchanged"], d["scripts_compiled"])')" = "(2, 0)" ] || wrong "unchanged work is done again"

# A product that is gone or changed is made again, the same.
rm out/deep/one.bin
printf x >>out/two.bin
mpy-freeze build --json >"$work/json" 2>/dev/null || wrong "third build"
[ "$(field "$work/json" 'd["built"]')" = 2 ] || wrong "a changed product counts as unchanged"
cmp -s out/deep/one.bin "$work/first" || wrong "the same sources give another product"

# One edited script: one compilation, and both rows have it.
echo 'def f(): return 10' >src/m1.py
mpy-freeze build --json >"$work/json" 2>/dev/null || wrong "build after an edit"
[ "$(field "$work/json" '(d["built"], d["scripts_compiled"])')" = "(2, 2)" ] || wrong "after an edit: $(field "$work/json" '(d["built"], d["scripts_compiled"])')"

# A broken cache gives the same products.
mpy-freeze build >/dev/null 2>&1
cp out/deep/one.bin "$work/good"
size=$(stat -c %s .mpy-freeze.cache)
for at in 3 20 60 100 $((size / 2)) $((size - 1)); do
    rm -f out/deep/one.bin
    cp .mpy-freeze.cache "$work/cache"
    printf '\377\377\377\377' | dd of=.mpy-freeze.cache bs=1 seek="$at" conv=notrunc 2>/dev/null
    mpy-freeze build one >/dev/null 2>&1 || wrong "with byte $at of the cache changed: exit $?"
    cmp -s out/deep/one.bin "$work/good" || wrong "byte $at of the cache changes the product"
    cp "$work/cache" .mpy-freeze.cache
done
head -c $((size / 3)) "$work/cache" >.mpy-freeze.cache
rm out/two.bin
mpy-freeze build two >/dev/null 2>&1 || wrong "a short cache stops the build"

# A wrong script fails its rows, the others are built; the exit code and the message say so.
echo 'def f(:' >src/m2.py
mpy-freeze build >"$work/out" 2>"$work/err"
[ $? -eq 3 ] || wrong "a syntax error does not leave with 3"
grep -q '\[one\]: .*m2.py:1:7: error: SyntaxError' "$work/err" || wrong "the script is not named: $(cat "$work/err")"
grep -q '^two .*unchanged\|^two .*built' "$work/out" || wrong "the other row is not built"
cmp -s out/deep/one.bin "$work/good" || wrong "the old product of a failed row is gone"

ini() { # ini LINE TEXT, the file on stdin
    cat >"$work/x.ini"
    mpy-freeze build --project "$work/x.ini" >"$work/out" 2>"$work/err"
    [ $? -eq 3 ] || wrong "$2: not malformed"
    grep -qF "x.ini$1: error: $2" "$work/err" || grep -qF "x.ini: $2" "$work/err" || wrong "expected $1 $2, got $(head -1 "$work/err")"
}
printf '[product]\ncolour = red\n' | ini :2 "unknown key 'colour'"
printf 'app = x\n' | ini :1 "'app' stands before the first [section]"
printf '[product]\ncounter = -1\n' | ini :2 "a number is needed"
printf '[a]\nfirmware = x\n[product]\napp = y\n' | ini :4 "[product] must stand before the rows"
printf '[a]\nfirmware = x\noutput = y\n' | ini "" "[a] has no 'inputs'"
printf '[a]\noutput = y\n' | ini "" "[a] has no 'firmware'"
printf '[product]\ninputs = "a b\n' | ini :2 "no closing quote"
printf '[product]\ninputs = %0250d\n' 1 | ini :2 "a line of 259 characters"
printf '[product]\napp = x\n' | ini "" "no row: nothing says what to build"
printf '[product]\ninputs = src\n[a]\nfirmware = f\noutput = out/x\n[b]\nfirmware = f\noutput = ./out/../out/x\n' |
    ini "" "[a] and [b] have the same output"
for key in detach-modules list-modules; do
    for row in x.modules ./X/../x.modules; do
        printf '[product]\ninputs = src\nfirmware = f\n[a]\noutput = x\n%s = yes\n[b]\noutput = %s\n' $key $row |
            ini "" "[a] and [b] have the same output"
        printf '[product]\ninputs = src\nfirmware = f\n[a]\noutput = %s\n[b]\noutput = x\n%s = yes\n' $row $key |
            ini "" "[a] and [b] have the same output"
    done
done
# Nothing that a row writes takes the place of the project's file, or of what another row reads: rows
# are built side by side.
cp "$stock" one.base && cp "$stock" two.base
echo 'X = 1' >main.py
for output in two.base x.ini main.py; do
    printf '[product]\ninputs = src\n[a]\nfirmware = one.base\noutput = %s\n[b]\nfirmware = two.base\nmain = main.py\noutput = y\n' $output >x.ini
    cp x.ini x.before
    mpy-freeze build --project x.ini >"$work/out" 2>"$work/err" && wrong "the output $output is built"
    grep -q "the output $output would replace an input" "$work/err" || wrong "$output: $(cat "$work/err")"
    cmp -s x.ini x.before && cmp -s two.base "$stock" && [ "$(cat main.py)" = 'X = 1' ] || wrong "$output was replaced"
done
mpy-freeze build nobody >/dev/null 2>&1
[ $? -eq 2 ] || wrong "an unknown row is no usage error"
# A row has the product's definitions and its own.
mkdir -p "$work/vars/A" "$work/vars/B" && echo 'X = 1' >"$work/vars/A/a.py" && echo 'X = 2' >"$work/vars/B/b.py"
printf 'module("a.py", base_path="$(FIRST)")\nmodule("b.py", base_path="$(SECOND)")\n' >"$work/vars/manifest.py"
printf '[product]\nfirmware = %s\ninputs = manifest.py\ndefine = FIRST=A\n[a]\ndefine = SECOND=B\noutput = a\n[b]\ndefine = SECOND=A\noutput = b\n[c]\noutput = c\n' \
    "$stock" >"$work/vars/x.ini"
mpy-freeze build --project "$work/vars/x.ini" >"$work/out" 2>"$work/err"
[ -e "$work/vars/a" ] || wrong "definitions of a row: $(cat "$work/err")"
[ ! -e "$work/vars/b" ] && [ ! -e "$work/vars/c" ] || wrong "definitions of another row"

# Large projects: many inputs, many rows.
fails_with() { # fails_with WORDS: x.ini does, within 5 s and 200 MB
    bounded 5 200000 mpy-freeze build --project x.ini >"$work/out" 2>"$work/err"
    grep -q "$1" "$work/err" || wrong "no '$1': $(head -c 300 "$work/err")"
}
cd "$work" || exit 1
(printf '[a]\nfirmware = %s\noutput = y\ninputs = m.py\n' "$stock" && seq -f '  m%.0f.py' 50000) >x.ini
fails_with 'm.py: No such file'
(printf '[product]\ninputs = m.py\n' && seq 1000 | sed 's/.*/[r&]\nfirmware = none\noutput = y&/') >x.ini
fails_with 'r1000.: m.py: No such file'
(printf '[product]\ninputs = m.py\n' && seq -f 'define = A%.0f=1' 2000) >x.ini
fails_with 'too many definitions at A1001=1'
(printf '[product]\ninputs = m.py\n' && seq -f '# %.0f' 200000) >x.ini
fails_with 'at most 1048576 are allowed'
printf '[product]\ninputs = m\0.py\n' >x.ini
fails_with 'offset 0x14: text: a NUL byte'
[ $failures -eq 0 ]
