#!/usr/bin/env bash
# Native code frozen into Debian's micropython for amd64 runs there as it does from a file: a native
# module whose text is relocated. What cannot run in place is refused.
. "$(dirname "$0")/../lib/script.sh"
needs python3
needs_stock_firmware

# A module assembled by hand. Its entry stores two globals: what mp_fun_table's entry 73 points to
# (type) as `kind`, and the object that a relocated pointer into its own text leads to as `answer`.
python3 - "$work" <<'PY' || wrong "the native modules were not made"
import sys
text = bytes.fromhex(
    "53554883ec08488b1d53000000488b7f08488b7f08ff53284889c5488b05460000000fb77802488b354b000000ff5368488b0531000000"
    "0fb77804488b352e000000488b36ff53684889efff5328488b034883c4085d5bc3"
    "5500000000000000" "0000000000000000" "0000000000000000" "5800000000000000" "0000000000000000")
FUN_TABLE, QSTRS, TEXT, TYPE = 8, 6, 0, 9 + 73
def uint(v):
    out = [v & 127]
    while v > 127:
        v >>= 7
        out.insert(0, 128 | v & 127)
    return bytes(out)
def qstr(s):
    return uint(len(s) << 1) + s.encode() + b"\0"
def module(name, flags, sizes=b""):
    relocs = bytes([FUN_TABLE << 1 | 1, 12 << 1, QSTRS << 1, TEXT << 1, TYPE << 1, 0xff])
    return (b"M\x06" + bytes([2 << 2 | 3, 31]) + uint(3) + uint(0) + qstr(name) + qstr("kind") + qstr("answer")
            + uint(len(text) << 3 | 2) + text + uint(flags) + sizes + relocs)
open(sys.argv[1] + "/handmade.mpy", "wb").write(module("handmade.py", 0x10))
code = bytes.fromhex("b806000000c3") # mov eax, None; ret
open(sys.argv[1] + "/still.mpy", "wb").write(
    b"M\x06" + bytes([2 << 2 | 3, 31]) + uint(1) + uint(0) + qstr("still.py") + uint(len(code) << 3 | 2) + code + uint(0))
open(sys.argv[1] + "/variables.mpy", "wb").write(module("variables.py", 0x50, uint(24)))
PY

script='import handmade
print(handmade.kind is type, handmade.answer)'
mkdir "$work/empty" "$work/file"
cp "$work/handmade.mpy" "$work/file"
from_file=$(cd "$work/file" && "$run" -c "$script" 2>&1)
[ "$from_file" = "True 42" ] || wrong "the stock firmware itself says: $from_file"

mpy-freeze build -f "$stock" -o "$work/product" "$work/handmade.mpy" >"$work/log" 2>&1 || wrong "build: $(cat "$work/log")"
frozen=$(cd "$work/empty" && MICROPYTHON=$work/product "$run" -c "$script" 2>&1)
[ "$frozen" = "$from_file" ] || wrong "frozen: $frozen"
mpy-freeze extract "$work/product" -d "$work/out" handmade >/dev/null || wrong "extract"
cmp "$work/out/handmade.mpy" "$work/handmade.mpy" || wrong "extract gives another file"
mpy-freeze unsplice "$work/product" -o "$work/base" && cmp "$work/base" "$stock" || wrong "unsplice"

mpy-freeze build -f "$stock" -o "$work/none" "$work/variables.mpy" >/dev/null 2>"$work/err"
[ $? -eq 1 ] || wrong "a module with variables was not refused"
grep -q '24 bytes of variables' "$work/err" || wrong "no reason: $(cat "$work/err")"
[ ! -e "$work/none" ] || wrong "something was written"

# Machine code runs in pages that nothing writes to, unless the loader must relocate words of it;
# without any, nothing new is executable.
segments() { # prints the flags of the segments that a product has more than its base
    python3 - "$1" "$stock" <<'PY'
import struct, sys
def loads(name):
    b = open(name, "rb").read()
    off, n = struct.unpack_from("<Q", b, 32)[0], struct.unpack_from("<H", b, 56)[0]
    rows = [struct.unpack_from("<IIQQ", b, off + 56 * i) for i in range(n)]
    return {(flags, vaddr) for kind, flags, _, vaddr in rows if kind == 1}
print(*sorted("".join(c for c, bit in (("R", 4), ("W", 2), ("X", 1)) if flags & bit)
              for flags, _ in loads(sys.argv[1]) - loads(sys.argv[2])))
PY
}
[ "$(segments "$work/product")" = RWX ] || wrong "relocated machine code: $(segments "$work/product")"
mpy-freeze build -f "$stock" -o "$work/split" "$work/still.mpy" >/dev/null 2>&1 || wrong "build of code without relocations"
[ "$(segments "$work/split")" = "RW RX" ] || wrong "machine code: $(segments "$work/split")"
got=$(cd "$work/empty" && MICROPYTHON=$work/split "$run" -c 'import still; print(still.__name__)' 2>&1)
[ "$got" = still ] || wrong "code without relocations: $got"
mpy-freeze unsplice "$work/split" -o "$work/base" && cmp "$work/base" "$stock" || wrong "unsplice of two segments"
mpy-freeze keygen -o "$work/key.pem" && mpy-freeze pubkey -k "$work/key.pem" -o "$work/pub.pem"
mpy-freeze build -f "$work/split" -o "$work/signed" -k "$work/key.pem" "$work/still.mpy" >/dev/null 2>&1 || wrong "a product as base"
mpy-verify "$work/signed" -k "$work/pub.pem" >/dev/null || wrong "mpy-verify: exit $?"
mpy-freeze build -f "$stock" -o "$work/plain" samples/hub >/dev/null 2>&1 || wrong "build without machine code"
[ "$(segments "$work/plain")" = RW ] || wrong "without machine code: $(segments "$work/plain")"
[ $failures -eq 0 ]
