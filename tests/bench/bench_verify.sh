#!/usr/bin/env bash
# Verifying a product of 1 MiB against SHA-256 of the same bytes plus one ECDSA check, in one process.
set -eu
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for kind in bin elf; do
    "$BUILD/make_product" $kind 1048576 tests/keys/p256.pem "$tmp/base" "$tmp/blob" "$tmp/product"
    read -r ours theirs <<<"$("$BUILD/time_verify" "$tmp/product" tests/keys/p256.pub.pem)"
    printf 'verify 1 MiB %s : SHA-256 + ECDSA\t%s\t%s\t0.77\n' $kind "$ours" "$theirs"
done
