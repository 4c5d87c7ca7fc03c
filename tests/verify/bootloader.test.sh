#!/usr/bin/env bash
# The sample boot loader: starts what is verified and nothing else; and the size of verify/core.
. "$(dirname "$0")/../lib/script.sh"
set -e -o pipefail

at=0x20000000
make_product bin 20000 tests/keys/p256.pem "$work/base" "$work/blob" "$work/product"
make_product bin 20000 tests/keys/p384.pem "$work/base" "$work/blob" "$work/other"
make_product bin 20000 - "$work/base" "$work/blob" "$work/unsigned"

# $1: expected exit code, $2: expected output, rest: arguments.
boot() {
    expect "$1" boot_host "${@:3}"
    grep -q "$2" "$work/out" || wrong "${*:3}: $(cat "$work/out")"
}
constant() {
    sed -n "s/^#define $1 \(0x[0-9a-f]*\)u.*/\1/p" verify/core/core.h
}
# $1: offset, $2: result name: a copy of the product with that byte changed.
changed() {
    cp "$work/product" "$work/changed"
    python3 -c 'import sys; f = open(sys.argv[1], "r+b"); a = int(sys.argv[2]); f.seek(a)
b = f.read(1)[0] ^ 0x55; f.seek(a); f.write(bytes([b]))' "$work/changed" $(($1))
    boot 1 "$(constant "$2")" "$work/changed" $at
}
boot 0 'started at 0x20000000' "$work/product" $at
boot 0 'started at 0x20000000' "$work/product" $at 3
boot 1 "$(constant CORE_ROLLED_BACK)" "$work/product" $at 4
boot 1 "$(constant CORE_UNTRUSTED)" "$work/other" $at
boot 1 "$(constant CORE_UNSIGNED)" "$work/unsigned" $at
boot 1 "$(constant CORE_UNSIGNED)" "$work/base" $at
boot 1 "$(constant CORE_UNSIGNED)" "$work/product" 0x30000000 # not where the blob belongs
changed 5000 CORE_ALTERED_BASE
changed 0x10 CORE_ALTERED_BASE # in a fill
changed 1025 CORE_ALTERED_BASE # in a patch
changed 0x5000+600 CORE_ALTERED_PAYLOAD
changed 0x5000+40 CORE_BAD_SIGNATURE
changed 0x5000+200 CORE_MALFORMED
changed "$(stat -c %s "$work/product")-950" CORE_BAD_SIGNATURE

# As a device has it: freestanding, small, with little stack, nothing needed but memory functions.
if ! command -v arm-none-eabi-gcc >/dev/null; then
    echo "arm-none-eabi-gcc is missing: sizes are not checked"
    [ $failures -eq 0 ] && exit 77
    exit 1
fi
objects=()
for source in verify/core/core.c format/blob/layout.c format/blob/walk.c samples/bootloader/boot.c; do
    object=$work/$(basename "$source" .c).o
    arm-none-eabi-gcc -std=c99 -pedantic -Os -mthumb -mcpu=cortex-m4 -ffreestanding -fcallgraph-info=su \
        -Wall -Wextra -Werror -I. -c "$source" -o "$object"
    [ "$source" = samples/bootloader/boot.c ] || objects+=("$object")
done
arm-none-eabi-ld -r -o "$work/all.o" "${objects[@]}"
read -r text data bss _ <<<"$(arm-none-eabi-size "$work/all.o" | tail -1)"
echo "verify/core: $text bytes of code, $data of data, $bss of bss"
[ "$text" -lt 2048 ] && [ "$data" -eq 0 ] && [ "$bss" -eq 0 ] || wrong "verify/core is too large"
needs=$(arm-none-eabi-nm -u "$work/all.o" | grep -vE ' (memcpy|memset|__aeabi_[a-z0-9]+)$' || true)
[ -z "$needs" ] || wrong "verify/core needs $needs"
# The deepest chain of calls; what the callbacks need is theirs.
stack=$(python3 - "$work"/{core,layout,walk}.ci <<'PY'
import re
import sys
frame, calls = {}, {}
for name in sys.argv[1:]:
    for line in open(name):
        node = re.match(r'node: { title: "([^"]*)" label: "[^"]*\\n(\d+) bytes \((\w+)\)', line)
        edge = re.match(r'edge: { sourcename: "([^"]*)" targetname: "([^"]*)"', line)
        if node:
            assert node[3] == "static", line
            frame[node[1]] = int(node[2])
        elif edge:
            calls.setdefault(edge[1], set()).add(edge[2])
def depth(function, above=()):
    assert function not in above, "recursion"
    return frame.get(function, 0) + max((depth(f, above + (function,)) for f in calls.get(function, ())), default=0)
print(depth("core_verify"))
PY
)
echo "verify/core: at most $stack bytes of stack"
[ "$stack" -lt 512 ] || wrong "verify/core needs too much stack"
[ $failures -eq 0 ]
