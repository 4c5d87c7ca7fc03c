#!/usr/bin/env bash
# Debian's micropython of the stable and the testing suite, five architectures each, and of the last
# suite with armel (A32 code, without an FPU): the tour frozen and imported prints what the files
# print; frozen modules of the stock image still work; a replaced one is the new one; a frozen text
# is compiled on the spot; the base comes back bit for bit.
. "$(dirname "$0")/../lib/script.sh"
done=0 skipped=()
cp -r samples/tour "$work/files"
mkdir "$work/empty" "$work/texts"
echo 'freeze_as_str(".")' >"$work/texts/manifest.py"
echo 'answer = 6 * 7' >"$work/texts/text.py"
stock_check='import asyncio, requests
async def f(): return 42
print(asyncio.run(f()), requests.get)
import text; print(text.answer)
import uasyncio; print(uasyncio.replaced)'

check() { # check NAME RUN STOCK
    local name=$1 run=$2 stock=$3 product=$work/product base=$work/base
    mpy-freeze build -f "$stock" -o "$product" samples/tour samples/replacement \
        "$work/texts/manifest.py" >"$work/log" 2>&1 ||
        { wrong "$name: build: $(head -3 "$work/log")"; return; }
    (cd "$work/files" && "$run" -c 'import tour') >"$work/a" 2>&1
    (cd "$work/empty" && MICROPYTHON=$product "$run" -c 'import tour') >"$work/b" 2>&1
    cmp -s "$work/a" "$work/b" || wrong "$name: $(diff "$work/a" "$work/b" | head -5)"
    grep -q '^tour: done' "$work/b" || wrong "$name: the tour does not end"
    (cd "$work/empty" && MICROPYTHON=$product "$run" -c "$stock_check") >"$work/c" 2>&1
    grep -q '^42 <function' "$work/c" && grep -q '^42$' "$work/c" && grep -q '^True' "$work/c" || wrong "$name: stock modules: $(tail -3 "$work/c")"
    mpy-freeze unsplice "$product" -o "$base" && cmp "$base" "$stock" || wrong "$name: unsplice"
    mpy-freeze list "$product" | grep -q 'spliced.*shapes/polygon.py' || wrong "$name: list"
}

for suite in trixie forky; do
    for arch in amd64 i386 arm64 armhf armel riscv64; do
        [ "$suite $arch" != "forky armel" ] || continue # trixie is the last to have it
        folder=build/firmware/debian-$suite-$arch
        if ! tests/lib/debian.sh $suite $arch "$folder" 2>"$work/why"; then
            skipped+=("$suite $arch: $(tail -1 "$work/why")")
            continue
        fi
        check "$suite $arch" "$(realpath "$folder/run")" "$(realpath "$folder/root/usr/bin/micropython")"
        done=$((done + 1))
        echo "ran: $suite $arch"
    done
done
[ $failures -eq 0 ] || exit 1
printf 'not run: %s\n' "${skipped[@]+"${skipped[@]}"}"
[ $done -gt 0 ] || { echo "${skipped[0]}"; exit 77; }
