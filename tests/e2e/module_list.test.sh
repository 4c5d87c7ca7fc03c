#!/usr/bin/env bash
# The modules as a product tells them: by short records in flash, by the list that --list-modules writes
# beside it, or by the list alone (--detach-modules).
. "$(dirname "$0")/../lib/script.sh"
stock=$(hub_firmware primehub 2>"$work/why") || skip "$(tail -1 "$work/why")"
key=(-k "$PWD/tests/keys/p256.pem")
pub=(-k "$PWD/tests/keys/p256.pub.pem" --allow-test-key)
cp "$stock" "$work/stock.bin"
cp -r samples/hub "$work/src"
cd "$work" || exit 1

expect 0 mpy-freeze build -f stock.bin -o full src "${key[@]}"
expect 0 mpy-freeze build -f stock.bin -o product src "${key[@]}" --detach-modules
[ "$(stat -c %s product)" -lt "$(stat -c %s full)" ] || wrong "the product is not smaller"
mv product first && mv product.modules first.modules
expect 0 mpy-freeze build -f stock.bin -o product src "${key[@]}" --detach-modules --json
cmp first product && cmp first.modules product.modules || wrong "not the same bytes again"
grep -q '"modules_detached": true' out || wrong "$(cat out)"

# By default: names, kinds, and what the sources' digests begin with. The list is the same in both forms.
expect 0 mpy-verify full "${pub[@]}" --json
grep -q '"proven": false' out && ! grep -q mpy_sha256 out || wrong "$(cat out)"
diff <(sed -n 's/.*"source_sha256_128": "\(.*\)"/\1/p' out) \
    <(cd src && sha256sum patrol.py robot/{__init__,control,path}.py | cut -c 1-32) || wrong "digests of the sources"
[ ! -e full.modules ] || wrong "a list that nobody asked for"
expect 0 mpy-freeze build -f stock.bin -o listed src "${key[@]}" --list-modules --json
grep -q '"modules_detached": false' out && grep -q '"modules_listed": true' out || wrong "$(cat out)"
cmp listed full && cmp listed.modules product.modules || wrong "--list-modules makes another product or list"
expect 0 mpy-verify listed "${pub[@]}" --modules listed.modules --json
grep -q '"proven": true' out && ! grep -q source_sha256_128 out || wrong "$(cat out)"
diff <(sed -n 's/.*"source_sha256": "\(.*\)",/\1/p' out) \
    <(cd src && sha256sum patrol.py robot/{__init__,control,path}.py | cut -c 1-64) || wrong "digests in the list"
sed -n 's/.*"mpy_sha256": "\(.*\)"/\1/p' out >mpy.sums
expect 0 mpy-freeze extract listed -d again
diff mpy.sums <(cd again && sha256sum patrol.mpy robot/{__init__,control,path}.mpy | cut -c 1-64) || wrong "digests of .mpy files"

# Proven with the list and without it; all modules are told either way.
for program in "mpy-freeze verify" mpy-verify; do
    expect 0 $program product "${pub[@]}" -f stock.bin
    grep -q 'modules *4,' out && grep -q 'list *not given' out || wrong "$(cat out)"
    expect 0 $program product "${pub[@]}" --modules product.modules --json
    [ "$(grep -c mpy_sha256 out)" = 4 ] || wrong "$(cat out)"
    expect 1 $program product "${pub[@]}" --modules stock.bin
    grep -q 'wrong modules: .*is no list' err || wrong "$(cat err)"
    expect 4 $program product "${pub[@]}" --modules none
done
expect 0 mpy-verify full "${pub[@]}" --modules product.modules
expect 0 mpy-freeze list full && cp out full.list
expect 0 mpy-freeze list product
diff <(awk '{print $NF}' out) <(awk '{print $NF}' full.list) || wrong "list"
expect 0 mpy-freeze extract product -d a
expect 0 mpy-freeze extract full -d b
diff -r a b || wrong extract
expect 0 mpy-freeze check product
expect 0 mpy-freeze unsplice product -o base
cmp base stock.bin || wrong unsplice

# Another list: of other modules, or with one byte changed.
cp src/patrol.py src/more.py
expect 0 mpy-freeze build -f stock.bin -o other src "${key[@]}" --detach-modules
expect 1 mpy-verify product "${pub[@]}" --modules other.modules
grep -q 'wrong modules' err || wrong "$(cat err)"
expect 1 mpy-verify full "${pub[@]}" --modules other.modules
rm src/more.py

# A blob alone: packed, listed with its file, read with its firmware.
expect 0 mpy-freeze pack -f stock.bin -o app.frz src "${key[@]}" --detach-modules
cmp app.frz.modules product.modules || wrong "pack writes another list"
expect 0 mpy-freeze splice -f stock.bin -b app.frz -o spliced
cmp spliced product || wrong "splice makes another product"
expect 0 mpy-verify app.frz "${pub[@]}" --modules app.frz.modules
expect 1 mpy-freeze list app.frz
expect 0 mpy-freeze list app.frz --modules app.frz.modules
expect 1 mpy-freeze list app.frz --modules other.modules
expect 1 mpy-freeze extract app.frz -d c
expect 0 mpy-freeze extract app.frz -d c -f stock.bin
[ "$(find c -type f | wc -l)" = 4 ] && ! diff -r a c | grep -v '^Only in a' || wrong "extract of a blob"

# With records it tells the names by itself; where the modules lie, the list tells.
expect 0 mpy-freeze pack -f stock.bin -o short.frz src "${key[@]}" --list-modules
cmp short.frz.modules product.modules || wrong "pack writes another list"
expect 0 mpy-freeze list short.frz --json
[ "$(grep -c '"address": null' out)" = 4 ] || wrong "$(cat out)"
expect 0 mpy-freeze list short.frz
diff <(awk '{print $1, $NF}' out) <(awk '/spliced/ {print $1, $NF}' full.list) || wrong "names of a blob"
expect 0 mpy-freeze list short.frz --modules short.frz.modules
diff <(awk '{print $3, $NF}' out | grep -v 0x) /dev/null || wrong "$(cat out)"
expect 1 mpy-freeze list short.frz --modules other.modules
expect 0 mpy-freeze extract short.frz -d d -f stock.bin
diff -r c d || wrong "extract of a blob with records"

# What cannot be: no name to write beside, a list that would replace an input.
cp stock.bin y.modules
mkdir x.modules
for option in --detach-modules --list-modules; do
    expect 2 mpy-freeze pack -f stock.bin -o - src $option
    expect 2 mpy-freeze build -f y.modules -o y src $option
    expect 4 mpy-freeze build -f stock.bin -o x src $option
    [ ! -e x ] || wrong "a product without its list"
done

# In a project; a list that is gone or changed is made again.
printf '[product]\ninputs = src\nkey = %s\ndetach-modules = yes\n[one]\nfirmware = stock.bin\noutput = one\n' "${key[1]}" >mpy-freeze.ini
expect 0 mpy-freeze build
cmp one product && cmp one.modules product.modules || wrong "the project's row is another one"
expect 0 mpy-freeze build && grep -q '^one *unchanged' out || wrong "$(cat out)"
rm one.modules
expect 0 mpy-freeze build && cmp one.modules product.modules || wrong "the list is not made again"
sed -i 's/= yes/= no/' mpy-freeze.ini
rm one.modules
expect 0 mpy-freeze build && cmp one full || wrong "detach-modules = no"
[ ! -e one.modules ] || wrong "a list that nobody asked for"
sed -i 's/^detach-modules = no/list-modules = yes/' mpy-freeze.ini
expect 0 mpy-freeze build && cmp one full && cmp one.modules product.modules || wrong "list-modules = yes"
expect 0 mpy-freeze build && grep -q '^one *unchanged' out || wrong "$(cat out)"
: >one.modules
expect 0 mpy-freeze build && cmp one.modules product.modules || wrong "the list is not made again"
[ $failures -eq 0 ]
