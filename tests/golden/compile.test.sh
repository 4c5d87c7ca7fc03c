#!/usr/bin/env bash
# The compiler gives what upstream's mpy-cross of each release gave: compile/expected.
# compile.test.sh --update DIR takes the digests from the programs DIR/mpy-cross-X.Y.Z instead.
set -u
cd "$(dirname "$0")/compile" || exit 1
releases="1.19.1 1.20.0 1.21.0 1.22.2 1.23.0 1.24.1 1.25.0 1.26.1 1.27.0 1.28.0 1.29.0"
oracle=
[ "${1:-}" = --update ] && oracle=$2
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

# digest RELEASE LEVEL SCRIPT: of the output file, or of the messages.
digest() {
    local program=(mpy-cross --release "$1")
    [ -n "$oracle" ] && program=("$oracle/mpy-cross-$1")
    rm -f "$out/x.mpy"
    "${program[@]}" "-O$2" -o "$out/x.mpy" "$3" >"$out/text" 2>&1
    if [ -e "$out/x.mpy" ]; then sha256sum <"$out/x.mpy"; else sha256sum <"$out/text"; fi | cut -c1-16
}

for script in *.py wrong/*.py; do
    case $script in wrong/*) levels=0 ;; *) levels="0 3" ;; esac
    for release in $releases; do
        # 1.19 makes machine code for the host unless told otherwise.
        [ "$release $script" = "1.19.1 wrong/native.py" ] && continue
        for level in $levels; do
            echo "$script $release -O$level $(digest "$release" $level "$script")"
        done
    done
done >"$out/measured"
if [ -n "$oracle" ]; then
    cp "$out/measured" expected
    exit
fi
diff expected "$out/measured" >"$out/diff" && exit
grep '^[<>]' "$out/diff" | head -40
exit 1
