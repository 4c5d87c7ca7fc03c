#!/usr/bin/env bash
# Many signatures on one product, room for them, and the same bytes wherever a product is made.
. "$(dirname "$0")/../lib/script.sh"
stock=$(hub_firmware primehub 2>"$work/why") || skip "$(tail -1 "$work/why")"
keys=$PWD/tests/keys
printf 'print("signed")\n' >"$work/app.py"
rsa=(-k "$keys/rsa3072.pem" -k "$keys/rsa3072-b.pem" -k "$keys/rsa3072-c.pem")
rsa_pub=(-k "$keys/rsa3072.pub.pem" -k "$keys/rsa3072-b.pub.pem" -k "$keys/rsa3072-c.pub.pem" --allow-test-key)

# By default there is room for two RSA signatures, whether they come at once or one by one.
expect 1 mpy-freeze build -f "$stock" -o "$work/none" "$work/app.py" "${rsa[@]}"
grep -q -- '--reserve-signatures' "$work/err" || wrong "no advice: $(cat "$work/err")"
[ ! -e "$work/none" ] || wrong "written without all signatures"
expect 0 mpy-freeze pack -f "$stock" -o "$work/two.frz" "$work/app.py" "${rsa[@]:0:4}"
expect 1 mpy-freeze sign "$work/two.frz" "${rsa[@]:4:2}"
expect 0 mpy-verify "$work/two.frz" "${rsa_pub[@]}" --require 2
expect 1 mpy-verify "$work/two.frz" "${rsa_pub[@]}" --require 3

# With room for eight, eight of any kind fit.
expect 0 mpy-freeze pack -f "$stock" -o "$work/app.frz" "$work/app.py" --reserve-signatures 8
expect 0 mpy-freeze sign "$work/app.frz" "${rsa[@]}" -k "$keys/p256.pem" -k "$keys/p384.pem" -k samples/keys/demo-key.pem
pub=("${rsa_pub[@]}" -k "$keys/p256.pub.pem" -k "$keys/p384.pub.pem" -k samples/keys/demo-key.pub.pem)
for i in 7 8 9; do
    mpy-freeze keygen -o "$work/$i.pem" && mpy-freeze pubkey -k "$work/$i.pem" -o "$work/$i.pub.pem" || wrong keygen
    expect $((i / 9)) mpy-freeze sign "$work/app.frz" -k "$work/$i.pem"
    pub+=(-k "$work/$i.pub.pem")
done
expect 0 mpy-freeze splice -f "$stock" -b "$work/app.frz" -o "$work/product"
expect 0 mpy-verify "$work/product" "${pub[@]}" --require 8
expect 1 mpy-verify "$work/product" "${pub[@]}" --require 9
expect 1 mpy-verify "$work/product" "${rsa_pub[@]}" --no-other-signatures
grep -q 'unproven signature' "$work/err" || wrong "$(cat "$work/err")"
expect 0 mpy-verify "$work/product" "${rsa_pub[@]}" --require 3
expect 0 mpy-freeze unsplice "$work/product" -o "$work/base"
cmp "$work/base" "$stock" || wrong "unsplice with eight signatures"
expect 2 mpy-freeze pack -f "$stock" -o "$work/no" "$work/app.py" --reserve-signatures 9
expect 2 mpy-freeze pack -f "$stock" -o "$work/no" "$work/app.py" --reserve-signatures -1

# One product: another folder, clock, locale, user, home, environment, number of processors.
build() { # output, then the environment
    local to=$1
    shift
    env "$@" mpy-freeze build -f stock.bin -o "$to" src -k key.pem --app thermostat --app-version 1.2 --counter 9 >/dev/null 2>&1 ||
        wrong "build of $to"
}
mkdir -p "$work/a/src" "$work/z/deeper/b/src"
for at in "$work/a" "$work/z/deeper/b"; do
    cp "$stock" "$at/stock.bin"
    cp "$keys/p256.pem" "$at/key.pem"
done
for name in b a c; do # another order of files on the disk
    cp samples/hub/patrol.py "$work/a/src/$name.py"
done
for name in a c b; do
    cp samples/hub/patrol.py "$work/z/deeper/b/src/$name.py"
done
touch -d 2001-01-01 "$work"/z/deeper/b/src/*.py
(cd "$work/a" && build product TZ=UTC && build ../rsa.1 && mpy-freeze build -f stock.bin -o ../rsa.1 src -k "$keys/rsa3072.pem" >/dev/null 2>&1)
(cd "$work/z/deeper/b" && build product -i PATH="$PATH" LD_LIBRARY_PATH="${LD_LIBRARY_PATH-}" HOME=/nonexistent USER=nobody LC_ALL=C.UTF-8 TZ=Asia/Tokyo \
    SOURCE_DATE_EPOCH=1 && mpy-freeze build -f "$PWD/stock.bin" -o ../rsa.2 "$PWD/src" -k "$keys/rsa3072.pem" >/dev/null 2>&1)
cmp "$work/a/product" "$work/z/deeper/b/product" || wrong "the product depends on where it is made"
cmp "$work/rsa.1" "$work/z/deeper/rsa.2" || wrong "the RSA product depends on where it is made"
if ! grep -q __asan_init "$BUILD/mpy-freeze"; then # which must be loaded first
    needs faketime
    make -s BUILD="$BUILD" "$BUILD/dynamic/mpy-freeze" || exit 1 # a static program asks the kernel
    (cd "$work/a" && faketime '2031-05-05' "$BUILD/dynamic/mpy-freeze" build -f stock.bin -o late src -k key.pem --app thermostat --app-version 1.2 --counter 9 >/dev/null 2>&1)
    cmp "$work/a/product" "$work/a/late" || wrong "the product depends on the time"
fi
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null && chmod -R a+rX "$work" && chmod a+r "$work/a/key.pem" && chmod a+rwx "$work/a" &&
    setpriv --reuid 65534 --clear-groups test -x "$(command -v mpy-freeze)"; then
    (cd "$work/a" && setpriv --reuid 65534 --clear-groups mpy-freeze build -f stock.bin -o other src -k key.pem --app thermostat \
        --app-version 1.2 --counter 9 >/dev/null 2>&1)
    cmp "$work/a/product" "$work/a/other" || wrong "the product depends on the user"
fi
# Rows of a project are built side by side: with one processor, and alone.
printf '[product]\ninputs = src\nkey = key.pem\ncounter = 9\napp = thermostat\nversion = 1.2\n[one]\nfirmware = stock.bin\noutput = p1\n[two]\nfirmware = stock.bin\noutput = p2\nreserve-signatures = 3\n' \
    >"$work/a/mpy-freeze.ini"
(cd "$work/a" && taskset -c 0 mpy-freeze build >/dev/null 2>&1 && cp p2 p2.first && rm -rf p1 p2 .mpy-freeze.cache && mpy-freeze build >/dev/null 2>&1) ||
    wrong "build of a project"
cmp "$work/a/product" "$work/a/p1" || wrong "a project's row differs from the same build by hand"
cmp "$work/a/p2.first" "$work/a/p2" || wrong "a project's row depends on the processors"
expect 0 mpy-freeze verify "$work/a/p2" -k "$keys/p256.pub.pem" --allow-test-key -f "$stock" --min-counter 9
strings -n 8 "$work/a/product" | grep -F -e "$work" -e /root/ -e "$PWD" && wrong "names of this machine are in the product"
[ $failures -eq 0 ]
