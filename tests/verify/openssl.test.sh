#!/usr/bin/env bash
# Keys, digests and signatures against the openssl command line, both ways.
. "$(dirname "$0")/../lib/script.sh"
set -e -o pipefail
needs openssl
keys=$PWD/tests/keys
cd "$work"
unset MPY_FREEZE_PASSPHRASE
make_product bin 20000 - base.bin unsigned.frz product.bin
printf 'a passphrase\nignored' >pass

openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem
cp "$keys/rsa3072.pem" rsa.pem # making RSA keys takes seconds, or many seconds

# Every form of a private key that openssl writes gives the same public key.
forms() {
    local key=$1 kind=$2 old
    openssl pkcs8 -topk8 -in "$key" -passout file:pass -out f-default.pem
    openssl pkcs8 -topk8 -in "$key" -passout file:pass -v2 aes-128-cbc -v2prf hmacWithSHA512 -out f-aes128.pem
    openssl pkcs8 -topk8 -in "$key" -passout file:pass -v2 aes-192-cbc -v2prf hmacWithSHA1 -iter 1000 -out f-aes192.pem
    openssl pkcs8 -topk8 -in "$key" -passout file:pass -v2 des3 -v2prf hmacWithSHA1 -out f-des3.pem
    openssl pkcs8 -topk8 -in "$key" -passout file:pass -outform DER -out f-encrypted.der
    openssl pkcs8 -topk8 -in "$key" -nocrypt -out f-pkcs8.pem
    openssl pkcs8 -topk8 -in "$key" -nocrypt -outform DER -out f-pkcs8.der
    openssl "$kind" -in "$key" -out f-traditional.pem 2>/dev/null
    openssl "$kind" -in "$key" -aes256 -passout file:pass -out f-traditional-encrypted.pem 2>/dev/null
    openssl pkey -in "$key" -pubout -out expected.pem
    for old in f-*; do
        if ! mpy-freeze pubkey -k "$old" --passphrase-file pass -o got.pem; then
            wrong "$kind $old"
        elif ! cmp -s got.pem expected.pem; then
            wrong "$kind $old: another public key"
        fi
        rm -f got.pem
    done
    printf wrong >wrong
    for old in f-default.pem f-aes128.pem f-encrypted.der f-traditional-encrypted.pem; do
        expect 1 mpy-freeze pubkey -k $old --passphrase-file wrong
        MPY_FREEZE_PASSPHRASE='a passphrase' expect 0 mpy-freeze pubkey -k $old
    done
    expect 2 setsid mpy-freeze pubkey -k f-default.pem </dev/null
    rm -f f-*
}
forms p256.pem ec
forms p384.pem ec
forms rsa.pem rsa

# The terminal is asked when nothing else says the passphrase; it does not show what is typed.
openssl pkcs8 -topk8 -in p256.pem -passout file:pass -out asked.pem
python3 - asked.pem got.pem <<'PY' || wrong "passphrase from the terminal"
import os
import pty
import sys
pid, tty = pty.fork()
if pid == 0:
    os.execvp("mpy-freeze", ["mpy-freeze", "pubkey", "-k", sys.argv[1], "-o", sys.argv[2]])
shown = b""
while b": " not in shown:
    shown += os.read(tty, 100)
os.write(tty, b"a passphrase\n")
try:
    while more := os.read(tty, 100):
        shown += more
except OSError:
    pass
assert b"a passphrase" not in shown, shown
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PY
openssl pkey -in p256.pem -pubout | cmp -s - got.pem || wrong "key decrypted by the terminal's passphrase"
rm -f got.pem asked.pem

# Keys made here are keys for openssl; files are private, and never overwritten.
for type in ecdsa-p256 ecdsa-p384 rsa-3072; do
    mpy-freeze keygen -o "$type-encrypted.pem" --type $type --passphrase-file pass
    if [ $type = rsa-3072 ]; then # one is enough
        openssl rsa -in $type-encrypted.pem -passin file:pass -out $type.pem 2>/dev/null
        chmod 600 $type.pem
    else
        mpy-freeze keygen -o "$type.pem" --type $type
    fi
    openssl pkey -in $type.pem -check -noout >/dev/null || wrong "openssl reads $type"
    openssl pkey -in $type-encrypted.pem -passin file:pass -check -noout >/dev/null || wrong "openssl decrypts $type"
    [ "$(stat -c %a $type.pem $type-encrypted.pem | sort -u)" = 600 ] || wrong "mode of $type"
    cp $type.pem before
    expect 4 mpy-freeze keygen -o $type.pem --type $type
    cmp -s before $type.pem || wrong "$type.pem was overwritten"
    grep -q 'PRIVATE KEY' $type.pem
    grep -q 'BEGIN ENCRYPTED PRIVATE KEY' $type-encrypted.pem || wrong "$type is not encrypted"
done

# Certificates as public keys, PEM and DER; public keys as DER.
openssl req -x509 -new -key p256.pem -subj /CN=test -days 1 -out cert.pem
openssl x509 -in cert.pem -outform DER -out cert.der
openssl pkey -in p256.pem -pubout -outform DER -out pub.der
openssl pkey -in p256.pem -pubout -out pub.pem
cp unsigned.frz app.frz
expect 0 mpy-freeze sign app.frz -k p256.pem
for k in cert.pem cert.der pub.der pub.pem; do
    expect 0 mpy-verify app.frz -k $k
done
# The key id is the digest of openssl's SubjectPublicKeyInfo.
id=$(sha256sum pub.der | cut -d' ' -f1)
mpy-verify app.frz -k pub.pem --json >out
grep -q "\"key_id\": \"$id\"" out || wrong "key id"

# The digest is that of the first 512 bytes; signatures made outside are put in, raw or DER.
for hash in sha256 sha384; do
    head -c 512 unsigned.frz | openssl dgst -$hash -binary >$hash.bin
done
for key in p256 p384 rsa; do
    openssl pkey -in $key.pem -pubout -out $key.pub.pem
    hash=sha256 test_key=
    options=(-pkeyopt digest:sha256)
    case $key in
    p384) hash=sha384 options=(-pkeyopt digest:sha384) ;;
    rsa) test_key=--allow-test-key options=(-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest -pkeyopt digest:sha256) ;;
    esac
    expect 0 mpy-freeze sign unsigned.frz --digest-out digest.bin --pub $key.pub.pem
    cmp -s digest.bin $hash.bin || wrong "digest for $key"
    openssl pkeyutl -sign -inkey $key.pem -in digest.bin "${options[@]}" -out signature
    expect 0 mpy-freeze sign unsigned.frz --signature-in signature --pub $key.pub.pem -o app.frz
    expect 0 mpy-verify app.frz -k $key.pub.pem $test_key
    # And what is signed here is good for openssl.
    expect 0 mpy-freeze sign unsigned.frz -k $key.pem -o app.frz
    expect 0 mpy-verify app.frz -k $key.pub.pem $test_key
    expect 0 mpy-freeze sign unsigned.frz -k $key.pem -o again.frz
    cmp -s app.frz again.frz || wrong "signing with $key is not deterministic"
    python3 - app.frz raw.sig der.sig <<'PY' || wrong "signature of $key"
import sys
blob = open(sys.argv[1], "rb").read()
at = len(blob) - int.from_bytes(blob[36:40], "little")
size = int.from_bytes(blob[at + 4:at + 8], "little")
raw = blob[at + 40:at + 40 + size]
def integer(b):
    b = b.lstrip(b"\0")
    b = b"\0" + b if b[0] & 0x80 else b
    return bytes([2, len(b)]) + b
body = integer(raw[:size // 2]) + integer(raw[size // 2:])
open(sys.argv[2], "wb").write(raw)
open(sys.argv[3], "wb").write(b"\x30" + bytes([len(body)]) + body if len(body) < 128 else raw)
PY
    file=der.sig
    [ $key != rsa ] || file=raw.sig
    openssl pkeyutl -verify -pubin -inkey $key.pub.pem -in $hash.bin -sigfile $file "${options[@]}" >/dev/null ||
        wrong "openssl refuses the signature of $key"
    # A raw signature goes in, too; one over something else does not.
    expect 0 mpy-freeze sign unsigned.frz --signature-in raw.sig --pub $key.pub.pem -o again.frz
    cmp -s app.frz again.frz || wrong "raw signature of $key"
    head -c 32 /dev/zero >zero
    [ $key != p384 ] || head -c 48 /dev/zero >zero
    openssl pkeyutl -sign -inkey $key.pem -in zero "${options[@]}" -out signature
    expect 1 mpy-freeze sign unsigned.frz --signature-in signature --pub $key.pub.pem -o never.frz
    expect 3 mpy-freeze sign unsigned.frz --signature-in pass --pub $key.pub.pem -o never.frz
    [ ! -e never.frz ] || wrong "a wrong signature was put in"
done

# Rotation: old and new key sign, either verifies, and both can be demanded.
cp unsigned.frz app.frz
expect 0 mpy-freeze sign app.frz -k p256.pem -k p384.pem
expect 0 mpy-verify app.frz -k p256.pub.pem -k p384.pub.pem --no-other-signatures
expect 0 mpy-verify app.frz -k p256.pub.pem -k p384.pub.pem --require 2
expect 0 mpy-verify app.frz -k p256.pub.pem
expect 0 mpy-verify app.frz -k p384.pub.pem
expect 1 mpy-verify app.frz -k p256.pub.pem --no-other-signatures
expect 1 mpy-verify app.frz -k p384.pub.pem --no-other-signatures
# A key is one key however often it is given.
expect 1 mpy-verify app.frz -k p256.pub.pem -k p256.pub.pem --require 2
expect 1 mpy-verify app.frz -k p256.pub.pem -k cert.pem --require 2
expect 1 mpy-verify app.frz -k p256.pub.pem -k rsa.pub.pem --require 2
expect 2 mpy-verify app.frz -k p256.pub.pem --require 2
expect 1 mpy-verify app.frz -k rsa.pub.pem
expect 5 mpy-verify unsigned.frz -k rsa.pub.pem

# Keys of other kinds are refused.
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out other.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa2048.pem
for key in other rsa2048; do
    expect 1 mpy-freeze sign unsigned.frz -k $key.pem -o never.frz
    openssl pkey -in $key.pem -pubout -out $key.pub.pem
    expect 1 mpy-verify unsigned.frz -k $key.pub.pem
done
expect 3 mpy-verify unsigned.frz -k p256.pem # a private key
expect 3 mpy-freeze sign unsigned.frz -k p256.pub.pem -o never.frz
expect 3 mpy-verify unsigned.frz -k pass
expect 4 mpy-verify unsigned.frz -k nowhere.pem
[ ! -e never.frz ] || wrong "never.frz was written"
[ $failures -eq 0 ]
