#!/usr/bin/env bash
# The main job on real stock firmware, told in plain lines:
#   samples/demo.sh [FOLDER]      (make demo)
# 1. Debian's own MicroPython 1.25.0 for x86-64: freeze, sign, splice, verify, run, take out again.
# 2. The LEGO Prime Hub firmware of Pybricks: the same on a bare-metal image that cannot run here.
# DEMO_HUB=0 leaves the second part (it needs npm) out.
set -eu -o pipefail
cd "$(dirname "$0")/.."
hub=${DEMO_HUB:-1}
out=${1:-build/demo}

say() { printf '\n== %s\n' "$*"; }
show() { printf '$ %s\n' "$*"; "$@"; }
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }

jobs="build demo"
[ "$hub" = 1 ] || jobs=build
say "Tools and libraries"
# shellcheck disable=SC2086 # a list of words
tests/lib/deps.sh $jobs
make -s -j"$(nproc)" build/mpy-freeze
echo "build/mpy-freeze is built: $(build/mpy-freeze version)"

say "A stock firmware: Debian's MicroPython of trixie for x86-64 (stripped, position-independent ELF)"
debian=build/firmware/debian-trixie-amd64
tests/lib/debian.sh trixie amd64 "$debian"
stock=$debian/root/usr/bin/micropython
ls -l "$stock" | awk '{print $5 " bytes"}'

rm -rf "$out" && mkdir -p "$out/empty" "$out/files" "$out/library"
out=$(realpath "$out") debian=$(realpath "$debian") stock=$(realpath "$stock")
product=$out/micropython-product
# A micropython process in a folder of its own; MICROPYPATH without the user's own libraries.
run_in() { (cd "$1" && MICROPYPATH=${path:-.frozen} MICROPYTHON=$2 "$debian/run" -c "$3"); }

say "What the scripts of samples/tour print as files under the stock firmware is kept for later"
cp -r samples/tour/. "$out/files"
run_in "$out/files" "$stock" 'import tour' >"$out/as-files.txt"
echo "$(wc -l <"$out/as-files.txt") lines"

say "A key pair for this demo, then the main job: compile, pack, sign, splice"
show build/mpy-freeze keygen -o "$out/demo-key.pem"
show build/mpy-freeze pubkey -k "$out/demo-key.pem" -o "$out/demo-pub.pem"
show build/mpy-freeze build -f "$stock" -o "$product" -k "$out/demo-key.pem" --app tour --app-version 1.0 \
    samples/tour samples/replacement

say "Who signed what, and is it the stock base and these modules and nothing else?"
show build/mpy-freeze verify "$product" -k "$out/demo-pub.pem" -f "$stock"

say "The product runs in an empty folder; its frozen modules print"
run_in "$out/empty" "$product" 'import tour' >"$out/as-frozen.txt"
sed -n '1,3p; 3s/.*/.../p; $p' "$out/as-frozen.txt"
cmp "$out/as-files.txt" "$out/as-frozen.txt" || fail "frozen and file output differ"
echo "($(wc -l <"$out/as-frozen.txt") lines, equal to what the stock firmware printed for the files)"

say "A frozen module is preferred over a library file of its name, and replaces the stock one"
echo 'print("closures: the file is imported")' >"$out/library/closures.py"
path=.frozen:$out/library
echo "stock:   $(run_in "$out/empty" "$stock" 'import closures')"
echo "product: $(run_in "$out/empty" "$product" 'import closures; print(closures.__file__)')"
echo "stock:   $(run_in "$out/empty" "$stock" 'import uasyncio; print(hasattr(uasyncio, "replaced"))')"
echo "product: $(run_in "$out/empty" "$product" 'import uasyncio; print(uasyncio.replaced)' | tr '\n' ' ')"
path=.frozen

say "Heap that importing tables.py costs (gc.mem_alloc)"
measure='import gc; gc.collect(); a = gc.mem_alloc(); import tables; gc.collect(); print(gc.mem_alloc() - a)'
mkdir "$out/mpy"
build/mpy-freeze compile --release 1.25.0 -s tables.py samples/tour/tables.py -o "$out/mpy/tables.mpy"
frozen=$(run_in "$out/empty" "$product" "$measure")
from_mpy=$(run_in "$out/mpy" "$stock" "$measure")
echo "frozen: $frozen bytes (function objects and the module's dict)"
echo "from a .mpy file: $from_mpy bytes"
[ $((frozen * 2)) -lt "$from_mpy" ] || fail "freezing saves too little heap"

say "The modules of the product, stock and spliced"
show build/mpy-freeze list "$product"

say "One byte in the middle of the product is flipped: verify must say no"
cp "$product" "$out/flipped"
at=$(($(stat -c %s "$product") / 2))
byte=$(od -An -tu1 -j"$at" -N1 "$product" | tr -d ' ')
printf "\\$(printf %o $((byte ^ 1)))" | dd of="$out/flipped" bs=1 seek="$at" conv=notrunc status=none
status=0
build/mpy-freeze verify "$out/flipped" -k "$out/demo-pub.pem" || status=$?
[ "$status" = 1 ] || fail "verify said $status for a flipped byte, 1 was expected"
echo "exit code 1"

say "The splice is taken out again"
show build/mpy-freeze unsplice "$product" -o "$out/unspliced"
cmp "$stock" "$out/unspliced" || fail "the base did not come back"
echo "byte for byte the stock file: $(sha256sum <"$out/unspliced" | cut -c1-16)..."

if [ "$hub" = 1 ]; then
    say "A bare-metal image: Pybricks for the LEGO Prime Hub (Cortex-M4, raw .bin without an address)"
    tests/lib/pybricks.sh 7.28.0 build/firmware/pybricks-7.28.0
    stock=build/firmware/pybricks-7.28.0/primehub/firmware-base.bin
    product=$out/primehub-product.bin
    show build/mpy-freeze info "$stock"
    show build/mpy-freeze build -f "$stock" -o "$product" -k "$out/demo-key.pem" samples/hub
    show build/mpy-freeze list "$product"
    show build/mpy-freeze verify "$product" -k "$out/demo-pub.pem" -f "$stock"
    show build/mpy-freeze unsplice "$product" -o "$out/primehub-unspliced.bin"
    cmp "$stock" "$out/primehub-unspliced.bin" || fail "the base did not come back"
    echo "byte for byte the stock file"
fi

say "Done; everything is in $out"
