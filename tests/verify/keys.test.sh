#!/usr/bin/env bash
# Private keys that are odd: encryptions that are not known or cost too much, broken ones, links in
# the way of new ones. (Those that are read are compared with openssl in openssl.test.sh.)
. "$(dirname "$0")/../lib/script.sh"
needs openssl
needs python3
key=$PWD/tests/keys/p256.pem
cd "$work" || exit 1
unset MPY_FREEZE_PASSPHRASE
echo 'a passphrase' >pass
printf wrong >wrong
: >empty
refused() { # words, file: a no, not a broken file; whether the passphrase is right or wrong
    expect 1 mpy-freeze pubkey -k "$2" --passphrase-file pass
    grep -q "$1" err || wrong "$2: no '$1': $(cat err)"
    grep -q "passphrase is wrong" err && wrong "$2: blames the passphrase"
    [ ! -s out ] || wrong "$2: a key came out"
}
encrypt() { # file, openssl's options
    local to=$1
    shift
    openssl pkcs8 -topk8 -in "$key" -passout file:pass "$@" -out "$to"
}

encrypt scrypt.pem -scrypt
encrypt cfb.pem -v2 aes-256-cfb
encrypt camellia.pem -v2 camellia-256-cbc
encrypt prf.pem -v2prf hmacWithSHA512-256
for file in scrypt cfb camellia prf; do
    refused 'not supported' $file.pem
done
if openssl ec -in "$key" -camellia256 -passout file:pass -out traditional.pem 2>/dev/null; then
    refused 'not supported' traditional.pem
fi
openssl genpkey -quiet -algorithm ED25519 -out ed.pem
openssl pkey -in ed.pem -pubout -out ed.pub.pem
refused 'not supported' ed.pem
openssl pkcs8 -topk8 -in ed.pem -passout file:pass -out ed-encrypted.pem
refused 'not supported' ed-encrypted.pem
expect 1 mpy-verify "$key" -k ed.pub.pem

# Any number of iterations that takes a second or two; the file cannot make it an hour.
openssl pkey -in "$key" -pubout -out expected
for iterations in 1 3 1023 100001; do
    encrypt key.pem -iter $iterations
    expect 0 mpy-freeze pubkey -k key.pem --passphrase-file pass
    cmp -s out expected || wrong "$iterations iterations"
done
encrypt few.der -iter 1000 -outform DER
encrypt many.der -iter 3000000 -outform DER
refused 'more than 2000000 iterations' many.der
encrypt cbc3.der -iter 3000000 -outform DER -v2 des3 -v2prf hmacWithSHA1
refused 'more than 2000000 iterations' cbc3.der
python3 - few.der <<'PY' || wrong "making keys"
import random
import sys
der = open(sys.argv[1], "rb").read()
salt = der.index(b"\2\2\x03\xe8")
for name, value in ("zero", 0), ("negative", 0xfc18), ("one-more", 1001):
    open(name + ".der", "wb").write(der.replace(b"\2\2\x03\xe8", b"\2\2" + value.to_bytes(2, "big"), 1))
def tlv(tag, *parts):
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body
# PKCS#12's own scheme, which mbedTLS decrypts, with two thousand million iterations.
# Or with more than fits any number.
oid = bytes.fromhex("060a2a864886f70d010c0103")
for name, value in ("pkcs12", b"\x7f\xff\xff\xff"), ("more", b"\0\x80\0\0\0"), ("most", b"\x7f" + b"\xff" * 40):
    open(name + ".der", "wb").write(tlv(0x30, tlv(0x30, oid, tlv(0x30, tlv(4, bytes(8)), tlv(2, value))), tlv(4, bytes(160))))
for i, n in enumerate(range(0, len(der), 7)):
    open("cut.%02d" % i, "wb").write(der[:n])
random.seed(7)
for i in range(40):
    changed = bytearray(der)
    changed[random.randrange(60)] ^= 1 << random.randrange(8)
    open("changed.%02d" % i, "wb").write(changed)
PY
for file in pkcs12 more most; do
    refused 'more than 2000000 iterations' $file.der
done
expect 3 mpy-freeze pubkey -k zero.der --passphrase-file pass
expect 3 mpy-freeze pubkey -k negative.der --passphrase-file pass
expect 1 mpy-freeze pubkey -k one-more.der --passphrase-file pass # decrypts to something else
for file in cut.*; do
    expect 3 mpy-freeze pubkey -k "$file" --passphrase-file pass
done
for file in changed.*; do
    timeout 60 mpy-freeze pubkey -k "$file" --passphrase-file pass >out 2>err
    code=$?
    [ $code -eq 1 ] || [ $code -eq 3 ] || cmp -s out expected || wrong "exit $code for $file"
done
for file in key.pem few.der; do
    expect 1 mpy-freeze pubkey -k $file --passphrase-file wrong
    grep -q 'passphrase is wrong' err || wrong "$file: $(cat err)"
    expect 1 mpy-freeze pubkey -k $file --passphrase-file empty
    grep -q 'passphrase is empty' err || wrong "$file: $(cat err)"
    MPY_FREEZE_PASSPHRASE= expect 1 mpy-freeze pubkey -k $file
    expect 4 mpy-freeze pubkey -k $file --passphrase-file nowhere
done
head -c 1024 /dev/zero | tr '\0' x >long
expect 2 mpy-freeze pubkey -k key.pem --passphrase-file long
printf 'a\0b\n' >nul
expect 2 mpy-freeze pubkey -k key.pem --passphrase-file nul
expect 2 mpy-freeze keygen -o never.pem --passphrase-file empty
[ ! -e never.pem ] || wrong "never.pem was written"

# New keys: never over anything, not through a link either, and nobody else reads them.
ln -s nowhere dangling.pem
expect 4 mpy-freeze keygen -o dangling.pem
[ ! -e nowhere ] || wrong "written through a link"
echo kept >kept
ln -s kept link.pem
expect 4 mpy-freeze keygen -o link.pem
[ "$(cat kept)" = kept ] || wrong "overwritten through a link"
mkdir folder.pem
expect 4 mpy-freeze keygen -o folder.pem
(umask 0 && mpy-freeze keygen -o open.pem) || wrong keygen
[ "$(stat -c %a open.pem)" = 600 ] || wrong "mode $(stat -c %a open.pem) with umask 0"

# A certificate is a public key with a label: dates, issuer and use are not looked at.
openssl req -x509 -new -key "$key" -subj /CN=expired -days 1 -outform DER -out today.der
python3 - today.der expired.der <<'PY'
import re
import sys
der = open(sys.argv[1], "rb").read()
# Valid for one second, long ago, which also breaks the certificate's own signature.
open(sys.argv[2], "wb").write(re.sub(rb"\x17\x0d\d{12}Z", b"\x17\x0d200101000000Z", der))
PY
openssl x509 -inform DER -in expired.der -out expired.pem
make_product bin 20000 "$key" base app.frz product || wrong "make_product"
expect 0 mpy-verify app.frz -k expired.pem --allow-test-key
expect 0 mpy-verify app.frz -k expired.der --allow-test-key
expect 1 mpy-verify app.frz -k expired.der # whose private part is published
# Of a chain the first certificate counts.
openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=other -out other.pem 2>/dev/null
cat expired.pem other.pem >chain.pem
cat other.pem expired.pem >chain2.pem
expect 0 mpy-verify app.frz -k chain.pem --allow-test-key
expect 1 mpy-verify app.frz -k chain2.pem --allow-test-key
head -c 300 expired.der >broken.der
expect 3 mpy-verify app.frz -k broken.der

# A public part that is not that of the private part beside it.
python3 - <<'PY'
import subprocess
def made(name):
    subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-outform", "DER", "-out", name], check=True)
    return open(name, "rb").read()
one, other = made("one.der"), made("other.der")
open("mixed.der", "wb").write(one[:-64] + other[-64:])
PY
expect 0 mpy-freeze pubkey -k one.der
expect 3 mpy-freeze pubkey -k mixed.der -o mixed.pub.pem
grep -q 'its public part is that of another private key' err && [ ! -e mixed.pub.pem ] || wrong "mixed.der: $(cat err)"
[ $failures -eq 0 ]
