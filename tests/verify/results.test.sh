#!/usr/bin/env bash
# Every result of verify on the command line: its words, its JSON value, its exit code; from both
# programs.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
keys=$PWD/tests/keys
make_product bin 20000 "$keys/p256.pem" "$tmp/base" "$tmp/app.frz" "$tmp/product"
make_product bin 20000 - "$tmp/base" "$tmp/unsigned.frz" "$tmp/unsigned"
make_product bin 24000 - "$tmp/other-base" "$tmp/x" "$tmp/y"
cd "$tmp"
failures=0

# $1: exit code, $2: JSON value of result, $3: of proven, rest: arguments.
expect() {
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
        [ "$got" = "$code" ] && [ ! -s err ] || { echo "FAILED: $program $*: $got"; cat json err; failures=$((failures + 1)); }
        got=0
        $program "$@" >out 2>err || got=$?
        if [ "$got" != "$code" ] || ! grep -q ": ${result//-/ }" out err || { [ "$code" = 0 ] && [ -s err ]; } ||
            { [ "$code" != 0 ] && [ -s out ]; }; then
            echo "FAILED: $program $* (text): $got"
            cat out err
            failures=$((failures + 1))
        fi
    done
}
usage() {
    local got=0
    mpy-verify "$@" >out 2>err || got=$?
    [ $got -eq 2 ] && [ -s err ] && [ ! -s out ] || { echo "FAILED: usage of mpy-verify $*: $got"; failures=$((failures + 1)); }
}
change() { # file, offset
    python3 -c 'import sys; d = bytearray(open(sys.argv[1], "rb").read()); d[int(sys.argv[2])] ^= 0x10
open("changed", "wb").write(d)' "$1" $(($2))
}
trusted=(-k "$keys/p256.pub.pem" --allow-test-key)
file_sha=$(sha256sum base | cut -d' ' -f1)
space_sha=$(mpy-verify app.frz "${trusted[@]}" --json | sed -n 's/.*"space_sha256": "\(.*\)".*/\1/p')
expect 0 verified file product "${trusted[@]}"
expect 0 verified file product "${trusted[@]}" -f base --min-counter 3
expect 0 verified file product "${trusted[@]}" --base "$file_sha"
expect 0 verified file product "${trusted[@]}" --base "$space_sha"
expect 0 verified blob app.frz "${trusted[@]}" -f base
mpy-freeze convert product -o product.hex --type ihex 2>/dev/null ||
    mpy-freeze convert product -o product.hex --type ihex --base 0x20000000 2>/dev/null || true
[ ! -e product.hex ] || expect 0 verified address-space product.hex "${trusted[@]}" -f base
expect 1 untrusted-key nothing product -k "$keys/p256.pub.pem"
expect 1 untrusted-key nothing product -k "$keys/p384.pub.pem" --allow-test-key
expect 1 untrusted-key nothing product "${trusted[@]}" -k "$keys/p384.pub.pem" --require 2
# Several signatures: those by other keys are told, or refused.
mpy-freeze sign app.frz -k "$keys/p384.pem" -o both.frz
expect 1 unproven-signature nothing both.frz "${trusted[@]}" --no-other-signatures
expect 0 verified blob both.frz "${trusted[@]}"
grep -q 'unproven   136 bytes' out || { echo "FAILED: unproven bytes are not told"; failures=$((failures + 1)); }
expect 0 verified blob both.frz "${trusted[@]}" -k "$keys/p384.pub.pem" --no-other-signatures
! grep -q unproven out || { echo "FAILED: unproven bytes where there are none"; failures=$((failures + 1)); }
expect 0 verified blob both.frz "${trusted[@]}" -k "$keys/p384.pub.pem" --require 2
expect 1 untrusted-key nothing both.frz "${trusted[@]}" -k "$keys/p256.pub.pem" --require 2
expect 1 untrusted-key nothing both.frz -k "$keys/rsa3072.pub.pem" --allow-test-key
expect 1 rolled-back nothing product "${trusted[@]}" --min-counter 4
expect 1 wrong-base nothing product "${trusted[@]}" -f other-base
expect 1 wrong-base nothing app.frz "${trusted[@]}" -f other-base
expect 1 wrong-base nothing product "${trusted[@]}" --base "${file_sha//[0-4]/5}"
expect 5 unsigned nothing unsigned "${trusted[@]}"
expect 5 unsigned nothing unsigned.frz "${trusted[@]}"
expect 5 unsigned nothing base "${trusted[@]}"
change product 7000
expect 1 altered-base nothing changed "${trusted[@]}"
change product 0x5000+40
expect 1 bad-signature nothing changed "${trusted[@]}"
change app.frz 512
expect 1 altered-payload nothing changed "${trusted[@]}"
change app.frz 20
expect 3 malformed nothing changed "${trusted[@]}"
: >changed
expect 3 malformed nothing changed "${trusted[@]}"
head -c 30000 app.frz | head -c 1000 >changed
expect 3 malformed nothing changed "${trusted[@]}"

usage product
usage -k "$keys/p256.pub.pem"
usage product -k "$keys/p256.pub.pem" --require 2
usage product -k "$keys/p256.pub.pem" --min-counter x
usage product -k "$keys/p256.pub.pem" --base abc
usage product -k "$keys/p256.pub.pem" --base "$file_sha" -f base
usage product product -k "$keys/p256.pub.pem"
usage product -k
usage product -k "$keys/p256.pub.pem" --nonsense
mpy-verify --help | grep -q Example || { echo "FAILED: --help"; failures=$((failures + 1)); }
got=0
mpy-verify nowhere "${trusted[@]}" 2>/dev/null || got=$?
[ $got -eq 4 ] || { echo "FAILED: a missing file is $got"; failures=$((failures + 1)); }

# mpy-verify is small because there is nothing else in it.
if command -v nm >/dev/null; then
    others=$(nm "$BUILD/mpy-verify" | grep -E ' [tT] (sign_key|sign_blob|splice_|freeze_|compile|manifest_)' || true)
    [ -z "$others" ] || { echo "FAILED: mpy-verify holds $others"; failures=$((failures + 1)); }
    [ "$(nm "$BUILD/mpy-freeze" | grep -cE ' [tT] (sign_key|splice_|compile)')" -gt 2 ] || { echo "FAILED: nm shows nothing"; failures=$((failures + 1)); }
fi
[ $failures -eq 0 ]
