#!/bin/sh
# run.sh FOLDER TARGET OPTIONS...: fuzzes one target with the builds in FOLDER and libFuzzer's options,
# then makes sure that no input that was kept takes too long. An input that fails is shown as base64
# where it is short, so that the output is enough to see the failure on another machine; the last line
# then names the target.
set -u
folder=$1 target=$2 log=$1/$2.log
shift 2

tell() { # WHAT failed, with the names of the inputs on stdin
    while read -r input; do
        echo "$input: $(wc -c <"$input") bytes"
        [ "$(wc -c <"$input")" -gt 4096 ] || base64 "$input"
    done
    echo "fuzzing $target FAILED: $1"
}

mkdir -p "$folder/found" "$folder/corpus/$target"
"$folder/run/target-$target" --seeds "$folder/corpus/$target" || {
    tell "its seeds, exit code $?" </dev/null
    exit 1
}
"$@" -artifact_prefix="$folder/found/$target-" "$folder/corpus/$target" >"$log" 2>&1 || {
    code=$?
    tail -60 "$log"
    sed -n '/slow-unit/!s/.*Test unit written to //p' "$log" |
        tell "exit code $code"
    exit 1
}
"$folder/run/target-$target" --quick "$folder/corpus/$target" 2>"$folder/$target.slow" || {
    code=$?
    cat "$folder/$target.slow"
    sed -n 's/: [0-9]* bytes take .*//p' "$folder/$target.slow" |
        tell "slow inputs, exit code $code"
    exit 1
}
grep -E 'number_of_executed_units|average_exec' "$log"
