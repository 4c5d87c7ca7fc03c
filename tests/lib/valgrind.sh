#!/usr/bin/env bash
# Runs test scripts with the programs of a build under valgrind: tests/lib/valgrind.sh BUILD SCRIPT...
# As many at a time as there are processors. A script that fails, an error and a leak are failures; the
# last line counts them. In BUILD a script finds what starts the programs, in PROGRAMS themselves.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath "$1")
shift
export PROGRAMS=$build BUILD=$build/wrapped PATH=$build/wrapped:$PATH
logs=$build/valgrind-logs
rm -rf "$BUILD" "$logs"
mkdir -p "$BUILD" "$logs" && chmod 1777 "$logs" || exit 1 # some programs run as another user
for f in "$build"/*; do
    [ -f "$f" ] && ln -s "$f" "$BUILD"
done
for program in mpy-freeze mpy-cross mpy-verify; do
    rm "$BUILD/$program"
    # Numbers of processes come again: the time tells their logs apart.
    echo "#!/bin/sh
exec valgrind --quiet --vgdb=no --leak-check=full --log-file=$logs/%p-\$(date +%s%N) $build/$program \"\$@\"" >"$BUILD/$program"
    chmod +x "$BUILD/$program"
done

one() {
    local log status said
    log=$BUILD/$(basename "$1").log
    bash "$1" >"$log" 2>&1
    status=$?
    case $status in
    0) said="ok      $1" ;;
    77) said="skipped $1: $(tail -1 "$log")" ;;
    *) said="FAILED  $1 (exit $status)"$'\n'"$(tail -20 "$log" | sed 's/^/    /')" ;;
    esac
    echo "$said"
}
export -f one
printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" bash -c 'one "$1"' one | tee "$build/valgrind-results"
count() { grep -c "^$1 " "$build/valgrind-results"; }
runs=$(find "$logs" -type f | wc -l) wrong=$(find "$logs" -type f -size +0 | wc -l)
find "$logs" -type f -size +0 -exec head -40 {} +
echo "valgrind: $runs runs, $wrong of them with errors; $# scripts, $(count FAILED) failed, $(count skipped) skipped"
[ $(($(count ok) + $(count skipped))) -eq $# ] && [ "$wrong" -eq 0 ] && [ "$runs" -gt 0 ]
