#!/usr/bin/env bash
# Signing outside, as hardware modules and cloud services do it: what they give back is taken when it
# is the right signature in its right form, and nothing else is.
. "$(dirname "$0")/../lib/script.sh"
needs openssl
needs python3
keys=$PWD/tests/keys
cd "$work" || exit 1
make_product bin 20000 - base unsigned.frz product || exit 1
put() { # exit code, signature, key
    rm -f put.frz
    expect "$1" mpy-freeze sign unsigned.frz --signature-in "$2" --pub "$keys/$3.pub.pem" -o put.frz
    if [ "$1" -eq 0 ]; then
        expect 0 mpy-verify put.frz -k "$keys/$3.pub.pem" --allow-test-key
    elif [ -e put.frz ]; then
        wrong "$2 was put in"
    fi
}

# DER is taken in its one canonical form only, raw bytes in their one size.
expect 0 mpy-freeze sign unsigned.frz -k "$keys/p256.pem" -o app.frz
python3 - app.frz <<'PY' || wrong "making signatures"
import sys
blob = open(sys.argv[1], "rb").read()
at = len(blob) - int.from_bytes(blob[36:40], "little")
r, s = blob[at + 40:at + 72], blob[at + 72:at + 104]
def integer(b, pad=0):
    b = b.lstrip(b"\0")
    return bytes([2, len(b) + pad + (b[0] >> 7)]) + bytes(pad + (b[0] >> 7)) + b
def sequence(body):
    return bytes([0x30, len(body)]) + body
good = sequence(integer(r) + integer(s))
n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
order = n.to_bytes(32, "big")
hostile = {
    "0.der": good,
    "0.raw": r + s,
    "3.trailing-byte": good + b"\0",
    "3.trailing-in-sequence": sequence(good[2:] + b"\5\0"),
    "3.cut": good[:-1],
    "3.long-length": b"\x30\x81" + good[1:],
    "3.indefinite": b"\x30\x80" + good[2:] + b"\0\0",
    "3.needless-zero": sequence(integer(r, 1) + integer(s)),
    "3.needless-zeros-s": sequence(integer(r) + integer(s, 2)),
    "3.negative": sequence(b"\2\x20" + bytes([r[0] | 0x80]) + r[1:] + integer(s)),
    "3.empty-r": sequence(b"\2\0" + integer(s)),
    "3.one-integer": sequence(integer(r)),
    "3.three-integers": sequence(integer(r) + integer(s) + integer(s)),
    "3.set": b"\x31" + good[1:],
    "3.longer-than-the-order": sequence(integer(b"\1" * 33) + integer(s)),
    "3.huge-length": b"\x30\x84\xff\xff\xff\xff" + good[2:],
    "1.r-zero": sequence(b"\2\1\0" + integer(s)),
    "1.s-zero": sequence(integer(r) + b"\2\1\0"),
    "1.r-order": sequence(integer(order) + integer(s)),
    "1.s-order": sequence(integer(r) + integer(order)),
    "1.raw-order": order + order,
    "1.swapped": sequence(integer(s) + integer(r)),
    "1.raw-zero": bytes(64),
    "1.raw-little-endian": r[::-1] + s[::-1],
    "3.raw-short": (r + s)[:-1],
    "3.raw-long": r + s + b"\0",
    "3.raw-p384": bytes(16) + r + bytes(16) + s,
    "3.empty": b"",
    "3.pem": b"-----BEGIN SIGNATURE-----",
}
for name, data in hostile.items():
    open("hostile." + name, "wb").write(data)
PY
for file in hostile.*; do
    code=${file#hostile.}
    put "${code%%.*}" "$file" p256
    [ "${code%%.*}" -ne 0 ] || cmp -s app.frz put.frz || wrong "$file gives another blob"
done
# A signature of one algorithm is none of another.
put 3 hostile.0.der rsa3072
put 1 hostile.0.der p384
put 3 hostile.0.raw p384

# What was signed with PKCS#1 v1.5, with another hash, or by hashing the digest again.
head -c 512 unsigned.frz >header
openssl dgst -sha256 -binary -out digest header
openssl dgst -sha256 -sign "$keys/rsa3072.pem" -out v15 header
put 1 v15 rsa3072
openssl dgst -sha384 -sign "$keys/rsa3072.pem" -sigopt rsa_padding_mode:pss -out pss384 header
put 1 pss384 rsa3072
openssl dgst -sha256 -sign "$keys/rsa3072.pem" -sigopt rsa_padding_mode:pss -sigopt rsa_mgf1_md:sha384 -out mgf384 header
put 1 mgf384 rsa3072
openssl dgst -sha384 -sign "$keys/p256.pem" -out p256.sha384 header
put 1 p256.sha384 p256
openssl dgst -sha256 -sign "$keys/p384.pem" -out p384.sha256 header
put 1 p384.sha256 p384
openssl dgst -sha256 -sign "$keys/p256.pem" -out twice digest
put 1 twice p256

# Modules that hash themselves are given the header, others the digest. Any length of salt will do.
openssl dgst -sha256 -sign "$keys/p256.pem" -out whole header
put 0 whole p256
openssl dgst -sha384 -sign "$keys/p384.pem" -out whole header
put 0 whole p384
for salt in 0 20 32 max; do
    openssl dgst -sha256 -sign "$keys/rsa3072.pem" -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:$salt -out pss header
    put 0 pss rsa3072
done
# A cloud service takes the digest in base64 and answers with DER in base64.
for key in p256 p384; do
    expect 0 mpy-freeze sign unsigned.frz --digest-out digest.bin --pub "$keys/$key.pub.pem"
    base64 -w0 digest.bin >request
    base64 -d request | openssl pkeyutl -sign -inkey "$keys/$key.pem" -in /dev/stdin | base64 -w0 >response
    base64 -d response >signature
    put 0 signature $key
done
# The digest says nothing about the room: signatures come one after the other, in any order.
cp unsigned.frz one.frz
cp unsigned.frz other.frz
for key in p256 p384 rsa3072; do
    expect 0 mpy-freeze sign one.frz -k "$keys/$key.pem"
done
for key in rsa3072 p384 p256; do
    expect 0 mpy-freeze sign other.frz -k "$keys/$key.pem"
done
cmp one.frz other.frz || wrong "the order of signing leaves traces"
[ $failures -eq 0 ]
