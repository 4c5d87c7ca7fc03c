#!/usr/bin/env bash
# Containers against other people's readers: images and products of every kind are made, and esptool,
# objcopy and readelf, dfu-suffix, and libraries for Intel HEX, Universal Hex and UF2 must see in them
# what we see; and what they write is read here. Stock files are written back byte for byte.
. "$(dirname "$0")/../lib/script.sh"
skipped=()

# The made images: NAME.base, NAME.product (the same with 5000 bytes added) and NAME.at.
cat >"$work/samples.c" <<'C'
#include <stdio.h>
#include "tests/unit/image_make.h"
static void put(const char *folder, const char *name, const char *end, const void *p, size_t n)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s", folder, name, end);
    FILE *f = fopen(path, "wb");
    fwrite(p, 1, n, f);
    fclose(f);
}
int main(int argc, char **argv)
{
    for (const struct image_sample *s = image_samples; s->name && argc == 2; s++) {
        struct arena a;
        struct bytes_out base, product;
        struct image *img;
        static uint8_t bytes[5120];
        char at[32];
        arena_init(&a, 0);
        bytes_out_init(&base);
        bytes_out_init(&product);
        s->make(&base);
        for (unsigned i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)(i * 7 + i / 256);
        if (image_read(base.data, base.size, s->name, s->kind, &a, NULL, &img))
            return 1;
        if (s->base)
            image_rebase(img, s->base);
        if (image_add(img, s->add, bytes, sizeof bytes, 5, NULL) || image_write(img, &product, NULL))
            return 1;
        put(argv[1], s->name, "base", base.data, base.size);
        put(argv[1], s->name, "product", product.data, product.size);
        put(argv[1], "bytes", "added", bytes, sizeof bytes);
        put(argv[1], s->name, "at", at, (size_t)snprintf(at, sizeof at, "0x%llx\n", (unsigned long long)s->add));
        arena_free(&a);
        bytes_out_free(&base);
        bytes_out_free(&product);
    }
    return 0;
}
C
crypto="$(pkg-config --libs mbedcrypto 2>/dev/null || echo -lmbedcrypto) $(pkg-config --libs nettle 2>/dev/null || echo -lnettle)"
build() {
    "$@" -std=c11 -D_POSIX_C_SOURCE=200809L -I. -o "$work/samples" "$work/samples.c" \
        tests/unit/image_make.c "$BUILD/libformat.a" -lz -lxxhash $crypto -lm >>"$work/log" 2>&1
}
# The library may have been built for sanitizers or coverage, and by either compiler.
build cc || build cc --coverage || build clang -fsanitize=address,undefined || build gcc -fsanitize=address,undefined ||
    { cat "$work/log"; exit 1; }
"$work/samples" "$work" || { echo "the samples cannot be made"; exit 1; }

# ELF
for f in "$work"/elf-*.base "$work"/elf-*.product; do
    readelf -hlW "$f" >"$work/out" 2>"$work/all" || wrong "readelf $(basename "$f")"
    grep -v 'no .dynamic section' "$work/all" >"$work/err" # the made images do not name their sections
    [ ! -s "$work/err" ] || wrong "readelf $(basename "$f"): $(head -1 "$work/err")"
    case $f in
    *.product)
        at=$(sed 's/0x0*//' "${f%.product}.at")
        grep -Eq "LOAD +0x[0-9a-f]+ 0x0*$at 0x0*$at 0x0*1400 0x0*1400 R E" "$work/out" ||
            wrong "$(basename "$f") has no segment at 0x$at: $(grep LOAD "$work/out")"
        ;;
    esac
done

same_as_objcopy() { # same_as_objcopy OBJCOPY FILE
    "$1" -O binary "$2" "$work/theirs" 2>"$work/err" || return 0 # not built for this machine
    mpy-freeze convert "$2" --from elf --type bin -o "$work/ours" && cmp "$work/ours" "$work/theirs" ||
        wrong "bin of $(basename "$2") is not objcopy's"
    "$1" -O ihex "$2" "$work/theirs.hex" && mpy-freeze convert "$2" --from elf -o "$work/ours.hex"
    mpy-freeze convert "$work/theirs.hex" --type bin -o "$work/theirs" && cmp "$work/ours" "$work/theirs" ||
        wrong "what objcopy writes as HEX is read differently: $(basename "$2")"
}
objcopy=$(command -v arm-none-eabi-objcopy || command -v objcopy)
if [ -n "$objcopy" ]; then
    same_as_objcopy "$objcopy" "$work/elf-arm.base"
    same_as_objcopy "$objcopy" "$work/elf-arm-room.base"
else
    skipped+=("objcopy is missing")
fi

# DfuSe
if command -v dfu-suffix >/dev/null; then
    for f in "$work"/dfuse*.base "$work"/dfuse*.product; do
        dfu-suffix -c "$f" >"$work/out" 2>&1 || wrong "dfu-suffix $(basename "$f"): $(tail -1 "$work/out")"
        # Its suffix is ours, byte for byte.
        read -r vendor product device < <(tail -c 16 "$f" | od -An -tx2 -N6 | awk '{ print $3, $2, $1 }')
        cp "$f" "$work/again.dfu"
        dfu-suffix -D "$work/again.dfu" >"$work/out" 2>&1 &&
            dfu-suffix -a "$work/again.dfu" -S 0x011a -v "0x$vendor" -p "0x$product" -d "0x$device" >>"$work/out" 2>&1 &&
            cmp "$f" "$work/again.dfu" || wrong "dfu-suffix writes another suffix: $(basename "$f"): $(tail -1 "$work/out")"
    done
else
    skipped+=("dfu-suffix is missing")
fi

# The tools that come as Python packages, in an environment of their own.
tools=$BUILD/container-tools
if [ ! -e "$tools/complete" ]; then
    python3 -m venv "$tools" >"$work/log" 2>&1 &&
        "$tools/bin/pip" install -q esptool intelhex uf2utils universal-hex >>"$work/log" 2>&1 &&
        touch "$tools/complete" || skipped+=("esptool and the HEX and UF2 libraries: $(tail -1 "$work/log")")
fi
if [ -e "$tools/complete" ]; then
    for f in "$work"/esp32*.base "$work"/esp32*.product "$work"/esp-flash*.product "$work"/uf2-esp.product; do
        cp "$f" "$work/app.bin"
        case $f in *flash* | *uf2*) mpy-freeze convert "$f" --type esp -o "$work/app.bin" || wrong "convert $f" ;; esac
        "$tools/bin/esptool" image-info "$work/app.bin" >"$work/out" 2>&1 || wrong "esptool $(basename "$f"): $(tail -1 "$work/out")"
        [ "$(grep -c '(valid)' "$work/out")" = 2 ] || wrong "esptool $(basename "$f"): $(grep -i valid "$work/out")"
    done
    "$tools/bin/python" - "$work" <<'P' || wrong "the Python libraries see something else"
import glob, logging, os, sys
import intelhex, universal_hex
from uf2utils.file import UF2File
logging.disable(logging.CRITICAL)
work, failures = sys.argv[1], 0
added = open(work + '/bytes.added', 'rb').read()

def wrong(*what):
    global failures
    failures += 1
    print('wrong:', *what)

def at(f):
    return int(open(os.path.splitext(f)[0] + '.at').read(), 16)

def check_hex(name, text, address):
    path = work + '/check.hex'
    open(path, 'w').write(text)
    h = intelhex.IntelHex(path)
    if bytes(h.tobinarray(start=address, size=len(added))) != added:
        wrong(name, 'intelhex does not see the added bytes')

for f in glob.glob(work + '/ihex*.product'):
    text = open(f).read()
    if 'universal' in f:
        if not universal_hex.is_uhex(text):
            wrong(f, 'is no universal hex')
        parts = {p.board_id: p.hex for p in universal_hex.separate_uhex(text)}
        check_hex(f, parts[0x9903], at(f))
        base = {p.board_id: p.hex for p in universal_hex.separate_uhex(open(f[:-7] + 'base').read())}
        if parts[0x9900] != base[0x9900]:
            wrong(f, 'the other board changed')
    else:
        check_hex(f, text, at(f))

for f in glob.glob(work + '/uf2*.product'):
    u = UF2File(f)
    if 'esp' in f: # the app in it is what esptool looks at
        continue
    new = {b.header.address: b for b in u if at(f) <= b.header.address < at(f) + len(added)}
    if b''.join(bytes(new[a].payload) for a in sorted(new)) != added:
        wrong(f, 'uf2utils does not see the added bytes')
sys.exit(failures != 0)
P
    "$tools/bin/python" tests/e2e/foreign.py "$work" || wrong "what other tools write is read as something else"
fi

# Stock files: read, and written back through the same container.
write_back() { # write_back TYPE FILE
    mpy-freeze convert "$2" --from "$1" --type "$1" -o "$work/back" && cmp "$2" "$work/back" || wrong "$2 is not written back"
}
for suite in trixie forky; do
    for arch in amd64 i386 arm64 armhf riscv64; do
        folder=build/firmware/debian-$suite-$arch
        [ ! -e "$folder/root/usr/bin/micropython" ] || write_back elf "$folder/root/usr/bin/micropython"
    done
done
for f in build/firmware/pybricks-*/*/firmware-base.bin; do
    [ ! -e "$f" ] || write_back bin "$f"
done
# More stock images can be given: CONTAINER_IMAGES=FOLDER.
if [ -n "${CONTAINER_IMAGES:-}" ]; then
    while IFS= read -r f; do
        case $f in
        *.uf2) write_back uf2 "$f" ;;
        *.dfu) write_back dfuse "$f" ;;
        *.hex) write_back ihex "$f" ;;
        *.elf) write_back elf "$f" ;;
        esac
    done < <(find "$CONTAINER_IMAGES" -type f)
fi

for s in "${skipped[@]}"; do echo "skipped: $s"; done
[ $failures -eq 0 ]
