#!/usr/bin/env bash
# The main job on Debian's stock binary, and every way to break it: a clear error, the exit code of
# the command line's contract, no half-written file, no changed input.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware

# fails CODE PATTERN COMMAND...: the exit code, and words on stderr that match.
fails() {
    expect "$1" "${@:3}"
    grep -Eq -- "$2" "$work/err" || wrong "no '$2' in: $(head -3 "$work/err") (${*:3})"
}

key=$work/key.pem pub=$work/pub.pem product=$work/product
mpy-freeze keygen -o "$key" && mpy-freeze pubkey -k "$key" -o "$pub" || exit 1
[ "$(stat -c %a "$key")" = 600 ] || wrong "the key's mode is not 600"
cp "$key" "$work/key.copy"
fails 4 'exist' mpy-freeze keygen -o "$key"
cmp -s "$key" "$work/key.copy" || wrong "keygen changed an existing key"

# The whole tour, frozen, prints what the files print.
cp -r samples/tour "$work/files"
mkdir "$work/empty"
mpy-freeze build -f "$stock" -o "$product" -k "$key" samples/tour samples/replacement >"$work/table" || wrong "build failed"
[ -x "$product" ] || wrong "the product is not executable like its base"
(cd "$work/files" && "$run" -c 'import tour') >"$work/a"
(cd "$work/empty" && MICROPYTHON=$product "$run" -c 'import tour') >"$work/b"
cmp "$work/a" "$work/b" || wrong "frozen and file output differ"
(cd "$work/empty" && MICROPYTHON=$product "$run" -c 'import asyncio, uasyncio, requests; print(uasyncio.replaced, asyncio.run)') >"$work/c" 2>&1
grep -q '^True <function run' "$work/c" || wrong "stock modules of the product: $(cat "$work/c")"
mpy-freeze build -f "$stock" -o "$work/again" -k "$key" samples/tour samples/replacement >/dev/null
cmp "$product" "$work/again" || wrong "two builds of the same inputs differ"

# Frozen modules cost the heap that upstream's own freeze costs: a stock frozen module against the
# same one, extracted and frozen again by us.
if mpy-freeze extract "$stock" -d "$work/stock-modules" >/dev/null; then
    mpy-freeze build -f "$stock" -o "$work/refrozen" "$work/stock-modules" >/dev/null || wrong "refreeze failed"
    heap='import gc; gc.collect(); a = gc.mem_alloc(); import requests; gc.collect(); print(gc.mem_alloc() - a)'
    a=$(cd "$work/empty" && "$run" -c "$heap")
    b=$(cd "$work/empty" && MICROPYTHON=$work/refrozen "$run" -c "$heap")
    [ "$a" = "$b" ] || wrong "import of requests costs $b bytes of heap, $a when upstream froze it"
else
    wrong "extract failed"
fi

mpy-freeze verify "$product" -k "$pub" -f "$stock" >/dev/null || wrong "verify says no"
mpy-freeze unsplice "$product" -o "$work/base" && cmp "$stock" "$work/base" || wrong "unsplice"
fails 1 '' mpy-freeze verify "$product" -k "$pub" --base 0000000000000000000000000000000000000000000000000000000000000000

# A product as base: its blob is replaced, the stock base stays the same.
mpy-freeze build -f "$product" -o "$work/second" -k "$key" samples/replacement >/dev/null || wrong "build on a product"
mpy-freeze verify "$work/second" -k "$pub" -f "$stock" >/dev/null || wrong "verify of a rebuilt product"
mpy-freeze unsplice "$work/second" -o "$work/base2" && cmp "$stock" "$work/base2" || wrong "unsplice of a rebuilt product"

# Breaking it.
before=$(sha256sum "$stock" "$product" "$key")
mkdir "$work/limited"
build() { mpy-freeze build -f "${firmware:-$stock}" -o "${output:-$work/limited/p}" -k "${signer:-$key}" "$@"; }
printf 'x = 1\ndef f(:\n    pass\n' >"$work/bad.py"
fails 3 'bad.py:2:[0-9]+: error: .*invalid syntax' build "$work/bad.py"
fails 4 'nothere.py' build "$work/nothere.py"
signer=$work/nokey.pem fails 4 'nokey.pem' build samples/tour
signer=$pub fails 3 'pub.pem' build samples/tour
firmware=$work/nofirmware fails 4 'nofirmware' build samples/tour
firmware=$work/bad.py fails 3 '' build samples/tour
mkdir "$work/one" "$work/two"
echo 'print(1)' >"$work/one/same.py"
echo 'print(2)' >"$work/two/same.py"
fails 2 'same' build "$work/one" "$work/two"
grep -q 'one/same.py' "$work/err" && grep -q 'two/same.py' "$work/err" || wrong "two modules of one name: both files must be named"
output=$stock fails 2 '' build samples/tour
output=$work/nofolder/p fails 4 'nofolder' build samples/tour
for size in 0 1 100 5000 400000 755000; do
    head -c $size "$stock" >"$work/truncated"
    firmware=$work/truncated fails 3 '' build samples/tour
done
if [ "$(id -u)" != 0 ]; then
    mkdir "$work/readonly" && chmod a-w "$work/readonly"
    output=$work/readonly/p fails 4 'readonly' build samples/tour
fi
(ulimit -f 100; trap '' XFSZ; output=$work/limited/p fails 4 'limited/p' build samples/tour; exit $failures) || wrong "a full disk"
[ -z "$(ls -A "$work/limited")" ] || wrong "a failed build left $(ls -A "$work/limited")"
[ "$(sha256sum "$stock" "$product" "$key")" = "$before" ] || wrong "an input changed"

head -c 700000 "$product" >"$work/cut"
mpy-freeze verify "$work/cut" -k "$pub" >/dev/null 2>&1
[ $? -ne 0 ] || wrong "a truncated product verifies"
fails 5 '' mpy-freeze verify "$stock" -k "$pub"
mpy-freeze build -f "$stock" -o "$work/unsigned" samples/replacement >/dev/null || wrong "unsigned build"
fails 5 '' mpy-freeze verify "$work/unsigned" -k "$pub"
[ $failures -eq 0 ]
