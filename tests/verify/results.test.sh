#!/usr/bin/env bash
# Every result of verify on the command line: its words, its JSON value, its exit code; from both
# programs.
. "$(dirname "$0")/../lib/script.sh"
set -e -o pipefail
keys=$PWD/tests/keys
make_product bin 20000 "$keys/p256.pem" "$work/base" "$work/app.frz" "$work/product"
make_product bin 20000 - "$work/base" "$work/unsigned.frz" "$work/unsigned"
make_product bin 24000 - "$work/other-base" "$work/x" "$work/y"
cd "$work"

# $1: exit code, $2: JSON value of result, $3: of proven, rest: arguments.
result() {
    local code=$1 result=$2 proven=$3 got program
    shift 3
    for program in "mpy-freeze verify" mpy-verify; do
        got=0
        $program "$@" --json >json 2>err || got=$?
        python3 - "$result" "$proven" <<'PY' || got=bad
import json
import sys
report = json.load(open("json"))
assert report["schema"] == "mpy-freeze/verify/1", report
assert [report["result"], report["proven"]] == sys.argv[1:], report
PY
        [ "$got" = "$code" ] && [ ! -s err ] || wrong "$program $*: $got: $(cat json err)"
        got=0
        $program "$@" >out 2>err || got=$?
        if [ "$got" != "$code" ] || ! grep -q ": ${result//-/ }" out err || { [ "$code" = 0 ] && [ -s err ]; } ||
            { [ "$code" != 0 ] && [ -s out ]; }; then
            wrong "$program $* (text): $got: $(cat out err)"
        fi
    done
}
usage() {
    expect 2 mpy-verify "$@"
    [ -s err ] && [ ! -s out ] || wrong "usage of mpy-verify $*"
}
change() { # file, offset
    python3 -c 'import sys; d = bytearray(open(sys.argv[1], "rb").read()); d[int(sys.argv[2])] ^= 0x10
open("changed", "wb").write(d)' "$1" $(($2))
}
trusted=(-k "$keys/p256.pub.pem" --allow-test-key)
file_sha=$(sha256sum base | cut -d' ' -f1)
space_sha=$(mpy-verify app.frz "${trusted[@]}" --json | sed -n 's/.*"space_sha256": "\(.*\)".*/\1/p')
result 0 verified file product "${trusted[@]}"
result 0 verified file product "${trusted[@]}" -f base --min-counter 3
result 0 verified file product "${trusted[@]}" --base "$file_sha"
result 0 verified file product "${trusted[@]}" --base "$space_sha"
result 0 verified blob app.frz "${trusted[@]}" -f base
mpy-freeze convert product -o product.hex --type ihex 2>/dev/null ||
    mpy-freeze convert product -o product.hex --type ihex --base 0x20000000 2>/dev/null || true
[ ! -e product.hex ] || result 0 verified address-space product.hex "${trusted[@]}" -f base
result 1 untrusted-key nothing product -k "$keys/p256.pub.pem"
result 1 untrusted-key nothing product -k "$keys/p384.pub.pem" --allow-test-key
result 1 untrusted-key nothing product "${trusted[@]}" -k "$keys/p384.pub.pem" --require 2
# Several signatures: those by other keys are told, or refused.
mpy-freeze sign app.frz -k "$keys/p384.pem" -o both.frz
result 1 unproven-signature nothing both.frz "${trusted[@]}" --no-other-signatures
result 0 verified blob both.frz "${trusted[@]}"
grep -q 'unproven   136 bytes' out || wrong "unproven bytes are not told"
result 0 verified blob both.frz "${trusted[@]}" -k "$keys/p384.pub.pem" --no-other-signatures
! grep -q unproven out || wrong "unproven bytes where there are none"
result 0 verified blob both.frz "${trusted[@]}" -k "$keys/p384.pub.pem" --require 2
result 1 untrusted-key nothing both.frz "${trusted[@]}" -k "$keys/p256.pub.pem" --require 2
result 1 untrusted-key nothing both.frz -k "$keys/rsa3072.pub.pem" --allow-test-key
result 1 rolled-back nothing product "${trusted[@]}" --min-counter 4
result 1 wrong-base nothing product "${trusted[@]}" -f other-base
result 1 wrong-base nothing app.frz "${trusted[@]}" -f other-base
result 1 wrong-base nothing product "${trusted[@]}" --base "${file_sha//[0-4]/5}"
result 5 unsigned nothing unsigned "${trusted[@]}"
result 5 unsigned nothing unsigned.frz "${trusted[@]}"
result 5 unsigned nothing base "${trusted[@]}"
change product 7000
result 1 altered-base nothing changed "${trusted[@]}"
change product 0x5000+40
result 1 bad-signature nothing changed "${trusted[@]}"
change app.frz 512
result 1 altered-payload nothing changed "${trusted[@]}"
change app.frz 20
result 3 malformed nothing changed "${trusted[@]}"
: >changed
result 3 malformed nothing changed "${trusted[@]}"
head -c 1000 app.frz >changed
result 3 malformed nothing changed "${trusted[@]}"

usage product
usage -k "$keys/p256.pub.pem"
usage product -k "$keys/p256.pub.pem" --require 2
usage product -k "$keys/p256.pub.pem" --min-counter x
usage product -k "$keys/p256.pub.pem" --base abc
usage product -k "$keys/p256.pub.pem" --base "$file_sha" -f base
usage product product -k "$keys/p256.pub.pem"
usage product -k
usage product -k "$keys/p256.pub.pem" --nonsense
mpy-verify --help >out
grep -q Example out || wrong "--help"
expect 4 mpy-verify nowhere "${trusted[@]}"

# mpy-verify is small because there is nothing else in it.
if command -v nm >/dev/null; then
    programs=${PROGRAMS:-$BUILD}
    others=$(nm "$programs/mpy-verify" | grep -E ' [tT] (sign_key|sign_blob|splice_|freeze_|compile|manifest_)' || true)
    [ -z "$others" ] || wrong "mpy-verify holds $others"
    [ "$(nm "$programs/mpy-freeze" | grep -cE ' [tT] (sign_key|splice_|compile)')" -gt 2 ] || wrong "nm shows nothing"
fi
[ $failures -eq 0 ]
