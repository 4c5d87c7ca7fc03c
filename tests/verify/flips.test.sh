#!/usr/bin/env bash
# Flips every byte of a small product in every container: each change must make verify say no. The
# unit tests do the same for a sample.
set -eu -o pipefail
cd "$(dirname "$0")/../.."
MPY_FREEZE_ALL_FLIPS=1 nice "$BUILD/unit" -j2 --filter 'verify/flips_*' 2>&1 | tail -5
