#!/usr/bin/env bash
# Pybricks hub firmwares of several releases: what can hold frozen modules gets some, in a product
# that lists them and gives its base back; what cannot is refused with the reason and nothing is
# written. Where python3 has unicorn, the stock lookup function runs on the product and finds every
# module.
. "$(dirname "$0")/../lib/script.sh"
built=0 refused=0 emulated=0
mkdir "$work/out"
emulator=
python3 -c 'import unicorn' 2>/dev/null && emulator=yes

check() { # check NAME FIRMWARE
    local name=$1 stock=$2 product=$work/out/product status
    rm -f "$work"/out/*
    mpy-freeze build -f "$stock" -o "$product" samples/hub >"$work/log" 2>&1
    status=$?
    if [ $status -eq 1 ] && grep -q 'cannot take frozen modules' "$work/log"; then
        [ -z "$(ls -A "$work/out")" ] || wrong "$name: refused, but left a file"
        refused=$((refused + 1))
        return
    fi
    [ $status -eq 0 ] || { wrong "$name: $(head -2 "$work/log")"; return; }
    built=$((built + 1))
    mpy-freeze list "$product" >"$work/list" || wrong "$name: list"
    [ "$(grep -c spliced "$work/list")" = "$(find samples/hub -name '*.py' | wc -l)" ] || wrong "$name: spliced modules: $(cat "$work/list")"
    mpy-freeze list "$stock" | awk '{print $NF}' | while read -r module; do
        grep -qF "$module" "$work/list" || echo "$module"
    done >"$work/lost"
    [ ! -s "$work/lost" ] || wrong "$name: lost stock modules: $(cat "$work/lost")"
    mpy-freeze unsplice "$product" -o "$work/out/base" && cmp "$work/out/base" "$stock" || wrong "$name: unsplice"
    if [ -n "$emulator" ]; then
        python3 tests/e2e/lookup.py "$product" || wrong "$name: the lookup function"
        emulated=$((emulated + 1))
    fi
}

reason=
for version in 7.28.0 7.2.0 6.2.0 4.17.0; do
    folder=build/firmware/pybricks-$version
    if ! tests/lib/pybricks.sh "$version" "$folder" 2>"$work/why"; then
        reason=$(tail -1 "$work/why")
        continue
    fi
    for stock in "$folder"/*/firmware-base.bin; do
        check "$version $(basename "$(dirname "$stock")")" "$stock"
    done
done
echo "built $built, refused $refused, emulated $emulated"
[ $failures -eq 0 ] || exit 1
[ $built -gt 0 ] || { echo "${reason:-no hub firmware}"; exit 77; }
