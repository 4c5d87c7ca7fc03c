#!/usr/bin/env bash
# Every allocation, read, write, fsync, rename, link, open, close and stat of `build` and `verify` fails
# in turn, all of them: each time an error with words, the right exit code, no leak, no changed input, no
# partial output, nothing left behind; also where the file system has no unnamed files, or /proc is
# missing. Then builds are killed at random moments (KILLS=200): the product is the old or the new one,
# and with unnamed files nothing else is left.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware

if grep -qE '__asan_init|__gcov_init' "$BUILD/mpy-freeze"; then
    echo "faults cannot be injected into a build with a sanitizer or for coverage, which allocate themselves"
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
rebuild() { echo old >"$work/out/product" && build; }
build >/dev/null || exit 1
mv "$work/out/product" "$work/good"
echo old >"$work/old"

# The job $1 without a fault; sets the number of calls of kind $2, and of blocks left at the end.
count() {
    FAULT_KIND=$2 FAULT_COUNT=$work/count LD_PRELOAD=$work/inject.so "$1" >/dev/null 2>&1
    read -r calls blocks <"$work/count"
    rm -f "$work"/out/*
    echo "$1: $calls calls of $2"
}

# Faults of the kinds $2... in every call of job $1.
sweep() {
    local job=$1 kind i
    for kind in "${@:2}"; do
        count "$job" "$kind"
        for ((i = 1; i <= calls; i++)); do
            faulted "$job" "$kind" "$i"
        done
    done
}

# Runs job $1 with fault $2 at call $3; the checks that hold for every fault.
faulted() {
    FAULT_KIND=$2 FAULT_AT=$3 LD_PRELOAD=$work/inject.so "$1" >"$work/stdout" 2>"$work/stderr"
    local status=$?
    if [ $status -eq 0 ]; then # the call did not matter: a closed read-only file, a folder's fsync
        [ "$1" = verify ] || cmp -s "$work/out/product" "$work/good" || wrong "$*: exit 0 without the product"
    elif [ $status -ne 4 ]; then
        wrong "$*: exit code $status: $(head -1 "$work/stderr")"
    elif [ ! -s "$work/stderr" ] && [ "$2" != write ]; then
        wrong "$*: failed without a word"
    elif [ "$1" = rebuild ]; then
        cmp -s "$work/out/product" "$work/old" || cmp -s "$work/out/product" "$work/good" ||
            wrong "$*: the old product was changed"
    elif [ -n "$(ls -A "$work/out")" ] && ! cmp -s "$work/out/product" "$work/good"; then
        wrong "$*: left $(ls -A "$work/out")"
    fi
    [ "$(ls -A "$work/out" | grep -cv '^product$')" = 0 ] || wrong "$*: left $(ls -A "$work/out")"
    rm -f "$work"/out/* "$work"/out/.[!.]*
}

# Allocations are counted, and fail in forked copies, on one processor: then there is no second thread,
# which a copy would not have, and all calls come in one order.
cpus=$(taskset -cp $$ | sed 's/.*: //')

for job in build verify; do
    taskset -cp "${cpus%%[,-]*}" $$ >/dev/null
    count $job malloc
    [ "$blocks" = 0 ] || wrong "$job: $blocks allocations are not freed"
    : >"$work/wrong"
    FAULT_KIND=malloc FAULT_AT=all FAULT_LOG=$work/stderr FAULT_OUT=$work/out FAULT_GOOD=$work/good \
        FAULT_LIVE=0 FAULT_WRONG=$work/wrong LD_PRELOAD=$work/inject.so $job >/dev/null 2>&1 ||
        wrong "$job: failed though all faults were in copies"
    rm -f "$work"/out/*
    while read -r line; do
        wrong "$job: $line"
    done <"$work/wrong"
    taskset -cp "$cpus" $$ >/dev/null
    sweep $job read write fsync rename link open close stat
done
sweep rebuild write rename link
for FAULT_UNNAMED in none stuck; do
    export FAULT_UNNAMED
    sweep build write fsync link open close
    sweep rebuild write rename link
done
unset FAULT_UNNAMED

# What must be new gets its name, and takes nothing's place, on every file system.
for way in any none fat stuck; do
    keygen() { FAULT_KIND=none FAULT_UNNAMED=$way LD_PRELOAD=$work/inject.so mpy-freeze keygen -o "$work/out/key.pem"; }
    keygen || wrong "$way: keygen"
    cp "$work/out/key.pem" "$work/key.first"
    keygen 2>"$work/stderr" && wrong "$way: keygen replaces a key"
    grep -q 'File exists' "$work/stderr" || wrong "$way: $(cat "$work/stderr")"
    cmp -s "$work/out/key.pem" "$work/key.first" || wrong "$way: the first key is gone"
    [ "$(ls -A "$work/out")" = key.pem ] || wrong "$way: keygen left $(ls -A "$work/out")"
    rm -f "$work"/out/* "$work"/out/.[!.]*
done

# Builds that are killed, KILLS of them; what is left of their temporary files is counted in $left.
kills() {
    local new=0
    left=0
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
        cmp -s "$work/out/product" "$work/old" || new=$((new + 1))
        rm -f "$work/out/product"
        [ -z "$(ls -A "$work/out")" ] || left=$((left + 1))
        rm -f "$work"/out/* "$work"/out/.[!.]*
    done
    echo "${KILLS:-200} builds killed $1: $new had come to the new product, $left left a temporary file"
}

start=$(date +%s%N)
build >/dev/null
took_ms=$((($(date +%s%N) - start) / 1000000 + 2))
kills "with unnamed files, where there are any"
has_unnamed='import os, sys; os.open(sys.argv[1], os.O_TMPFILE | os.O_WRONLY)'
# Only between getting a temporary name and the renaming is there something to leave.
if python3 -c "$has_unnamed" "$work/out" 2>/dev/null && [ "$left" -gt $((${KILLS:-200} / 50)) ]; then
    wrong "$left of ${KILLS:-200} killed builds left a temporary file"
fi
export LD_PRELOAD=$work/inject.so FAULT_UNNAMED=none
kills "without"
unset LD_PRELOAD FAULT_UNNAMED

[ "$(cat "$work"/in/* | sha256sum)" = "$before" ] || wrong "an input changed"
[ $failures -eq 0 ]
