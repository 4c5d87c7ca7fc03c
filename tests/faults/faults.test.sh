#!/usr/bin/env bash
# Every allocation, write, fsync, rename, open and close of `build` and `verify` fails in turn: each
# time an error with words, the right exit code, no changed input, no partial output, nothing left
# behind. Then 200 builds are killed at random moments: the product is the old or the new one.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware

if grep -q __asan_init "$BUILD/mpy-freeze"; then
    echo "faults cannot be injected into a build with a sanitizer, which has its own malloc"
    exit 77
fi
# Faults come from a library in front of the C library, which a static program does not have.
make -s BUILD="$BUILD" "$BUILD/dynamic/mpy-freeze" || exit 1
export PATH="$BUILD/dynamic:$PATH"
cc -shared -fPIC -O1 -o "$work/inject.so" tests/faults/inject.c -ldl || exit 1
mkdir "$work/in" "$work/out"
cp "$stock" "$work/in/stock"
printf 'def f(x):\n    return x + 1\nprint(f(1), 2.5, 1 << 70, "a text that is longer than an interned one")\n' \
    >"$work/in/app.py"
mpy-freeze keygen -o "$work/in/key.pem" && mpy-freeze pubkey -k "$work/in/key.pem" -o "$work/in/pub.pem" || exit 1
before=$(cat "$work"/in/* | sha256sum)
build() { mpy-freeze build -f "$work/in/stock" -o "$work/out/product" -k "$work/in/key.pem" "$work/in/app.py"; }
verify() { mpy-freeze verify "$work/good" -k "$work/in/pub.pem" -f "$work/in/stock"; }
build >/dev/null || exit 1
mv "$work/out/product" "$work/good"

# Runs job $1 with fault $2 at call $3; the checks that hold for every fault.
faulted() {
    FAULT_KIND=$2 FAULT_AT=$3 LD_PRELOAD=$work/inject.so "$1" >"$work/stdout" 2>"$work/stderr"
    local status=$?
    if [ $status -eq 0 ]; then # the call did not matter: a closed read-only file, a folder's fsync
        [ "$1" != build ] || cmp -s "$work/out/product" "$work/good" || wrong "$*: exit 0 without the product"
    elif [ $status -ne 4 ]; then
        wrong "$*: exit code $status: $(head -1 "$work/stderr")"
    elif [ ! -s "$work/stderr" ] && [ "$2" != write ]; then
        wrong "$*: failed without a word"
    elif [ -n "$(ls -A "$work/out")" ] && ! cmp -s "$work/out/product" "$work/good"; then
        wrong "$*: left $(ls -A "$work/out")"
    fi
    [ "$(ls -A "$work/out" | grep -cv '^product$')" = 0 ] || wrong "$*: left $(ls -A "$work/out")"
    rm -f "$work"/out/* "$work"/out/.[!.]*
}

for job in build verify; do
    for kind in malloc write fsync rename open close; do
        FAULT_KIND=$kind FAULT_COUNT=$work/count LD_PRELOAD=$work/inject.so $job >/dev/null 2>&1
        calls=$(cat "$work/count")
        rm -f "$work"/out/*
        # All of them up to 400; beyond that an even spread of 400, the first and the last included.
        step=$(((calls + 399) / 400))
        for ((i = 1; i <= calls; i += step > 0 ? step : 1)); do
            faulted $job "$kind" "$i"
        done
        echo "$job: $calls calls of $kind"
    done
done

echo old >"$work/old"
start=$(date +%s%N)
build >/dev/null
took_ms=$((($(date +%s%N) - start) / 1000000 + 2))
for ((i = 0; i < ${KILLS:-200}; i++)); do
    cp "$work/old" "$work/out/product"
    (exec mpy-freeze build -f "$work/in/stock" -o "$work/out/product" -k "$work/in/key.pem" "$work/in/app.py") \
        >/dev/null 2>&1 &
    pid=$!
    sleep "$(printf '0.%03d' $((RANDOM % ${took_ms:-30})))"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    cmp -s "$work/out/product" "$work/old" || cmp -s "$work/out/product" "$work/good" ||
        wrong "killed build left a product that is neither the old nor the new one"
    rm -f "$work"/out/* "$work"/out/.[!.]*
done
[ "$(cat "$work"/in/* | sha256sum)" = "$before" ] || wrong "an input changed"
[ $failures -eq 0 ]
