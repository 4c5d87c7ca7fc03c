#!/usr/bin/env bash
# Flips every byte of a small product in every container, and a random sample of larger ones: each
# change must make verify say no; and sets every number of a blob to its limits. The unit tests do the
# same for a sample of the small ones.
. "$(dirname "$0")/../lib/script.sh"
set -e -o pipefail
needs python3
# With sanitizers, or counts for coverage, it takes minutes and finds nothing that the sample does not.
if ! grep -qE '__asan_init|__gcov_init' "$BUILD/unit"; then
    export MPY_FREEZE_ALL_FLIPS=1
fi
nice "$BUILD/unit" -j2 --filter 'verify/flips_*' 2>&1 | tail -5
nice "$BUILD/unit" --filter 'hostile/numbers_*' 2>&1 | tail -5

for kind in bin elf uf2; do
    make_product $kind 600000 tests/keys/p256.pem "$work/base" "$work/blob" "$work/product"
    python3 - "$work/product" "$work/flipped" <<'PY'
import random
import subprocess
import sys
product, flipped = sys.argv[1:]
data = bytearray(open(product, "rb").read())
def verify(name):
    return subprocess.run(["mpy-verify", name, "-k", "tests/keys/p256.pub.pem", "--allow-test-key"],
                          capture_output=True).returncode
assert verify(product) == 0
random.seed(len(data))
for _ in range(100):
    at, bit = random.randrange(len(data)), 1 << random.randrange(8)
    data[at] ^= bit
    open(flipped, "wb").write(data)
    data[at] ^= bit
    code = verify(flipped)
    assert code in (1, 3, 5), f"byte {at} ^ {bit:#x}: exit {code}"
PY
done
