# The start of every test script, sourced as its first line of code: the top folder is the current
# one, $work is a folder that goes away at the end, and what is wrong is counted. A script's last line
# is [ $failures -eq 0 ]. Beyond that: stock firmware, kept under build/firmware.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
work=$(mktemp -d) || exit 1
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
failures=0

wrong() {
    echo "wrong: $*"
    failures=$((failures + 1))
}

expect() { # expect CODE COMMAND...: leaves the command's output in $work/out, its messages in $work/err
    local code=$1 got=0
    shift
    "$@" >"$work/out" 2>"$work/err" || got=$?
    [ $got -eq "$code" ] || wrong "exit $got instead of $code: $*: $(head -3 "$work/err" "$work/out")"
}

# bounded SECONDS KIBIBYTES COMMAND...: with that much processor time and address space. Sanitizers
# take some times the time, and terabytes of addresses.
bounded() {
    if grep -q __asan_init "$BUILD/mpy-freeze"; then
        (ulimit -t $((10 * $1)) && shift 2 && exec "$@")
    else
        (ulimit -t "$1" && ulimit -v "$2" && shift 2 && exec "$@")
    fi
}

skip() { # skip WORDS: the test cannot run here
    echo "$*"
    exit 77
}

needs() { # needs COMMAND: the test is skipped without it
    command -v "$1" >/dev/null || skip "$1 is missing"
}

# Each prints a path, or gives the reason on stderr and fails.
stock_firmware() { # the amd64 binary of Debian trixie
    tests/lib/debian.sh trixie amd64 build/firmware/debian-trixie-amd64 >&2 || return 77
    realpath build/firmware/debian-trixie-amd64/root/usr/bin/micropython
}

hub_firmware() { # hub_firmware HUB [VERSION]
    local version=${2:-7.28.0}
    tests/lib/pybricks.sh "$version" "build/firmware/pybricks-$version" >&2 || return 77
    realpath "build/firmware/pybricks-$version/$1/firmware-base.bin"
}

# needs_stock_firmware: sets $stock, and $run, which starts it (or $MICROPYTHON in its place) under
# its own C library.
needs_stock_firmware() {
    stock=$(stock_firmware 2>"$work/why") || skip "$(tail -1 "$work/why")"
    run=$(realpath build/firmware/debian-trixie-amd64/run)
}
