#!/usr/bin/env bash
# Runs test scripts with the programs of a build under valgrind: tests/lib/valgrind.sh BUILD SCRIPT...
# A script that fails, an error and a leak are failures; the last line counts them.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath "$1") failed=0 skipped=0
shift
export BUILD=$build/wrapped PATH=$build/wrapped:$PATH
logs=$build/valgrind-logs
rm -rf "$BUILD" "$logs"
mkdir -p "$BUILD" "$logs" || exit 1
for f in "$build"/*; do
    [ -f "$f" ] && ln -s "$f" "$BUILD"
done
for program in mpy-freeze mpy-cross mpy-verify; do
    rm "$BUILD/$program"
    echo "#!/bin/sh
exec valgrind --quiet --vgdb=no --leak-check=full --log-file=$logs/%p $build/$program \"\$@\"" >"$BUILD/$program"
    chmod +x "$BUILD/$program"
done

for t in "$@"; do
    bash "$t" >"$build/$(basename "$t").log" 2>&1
    status=$?
    case $status in
    0) echo "ok      $t" ;;
    77) skipped=$((skipped + 1)); echo "skipped $t: $(tail -1 "$build/$(basename "$t").log")" ;;
    *) failed=$((failed + 1)); echo "FAILED  $t (exit $status)"; tail -20 "$build/$(basename "$t").log" | sed 's/^/    /' ;;
    esac
done
runs=$(find "$logs" -type f | wc -l) wrong=$(find "$logs" -type f -size +0 | wc -l)
find "$logs" -type f -size +0 -exec head -40 {} +
echo "valgrind: $runs runs, $wrong of them with errors; $# scripts, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$wrong" -eq 0 ] && [ "$runs" -gt 0 ]
