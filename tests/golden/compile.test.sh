#!/usr/bin/env bash
# The compiler gives what upstream's mpy-cross of each release gave: compile/expected.
# compile.test.sh --update DIR takes the digests from the programs DIR/mpy-cross-X.Y.Z instead.
. "$(dirname "$0")/../lib/script.sh"
cd tests/golden/compile || exit 1
releases="1.19.1 1.20.0 1.21.0 1.22.2 1.23.0 1.24.1 1.25.0 1.26.1 1.27.0 1.28.0 1.29.0"
oracle=
[ "${1:-}" = --update ] && oracle=$2

# digest RELEASE SCRIPT OPTION...: of the output file, or of the messages.
digest() {
    local release=$1 script=$2 program
    shift 2
    program=(mpy-cross --release "$release")
    [ -n "$oracle" ] && program=("$oracle/mpy-cross-$release")
    rm -f "$work/x.mpy"
    "${program[@]}" "$@" -o "$work/x.mpy" "$script" >"$work/text" 2>&1
    if [ -e "$work/x.mpy" ]; then sha256sum <"$work/x.mpy"; else sha256sum <"$work/text"; fi | cut -c1-16
}

for script in *.py wrong/*.py options/*.py; do
    case $script in
        wrong/*) options=-O0 ;;
        options/*) options=$(sed -n 's/^# option: //p' "$script") ;;
        *) options="-O0 -O3" ;;
    esac
    for release in $releases; do
        # 1.19 makes machine code for the host unless told otherwise.
        [ "$release $script" = "1.19.1 wrong/native.py" ] && continue
        for option in $options; do
            echo "$script $release $option $(digest "$release" "$script" "$option")"
        done
    done
done >"$work/measured"
if [ -n "$oracle" ]; then
    cp "$work/measured" expected
    exit
fi
diff expected "$work/measured" >"$work/diff" && exit
grep '^[<>]' "$work/diff" | head -40
exit 1
