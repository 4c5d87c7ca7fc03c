#!/bin/sh
# reach.sh BUILD TARGET [CORPUS...]: what the target's seeds and kept inputs (CORPUS/TARGET, where
# there is such a folder) reach in the files that reach.txt names for it.
set -eu
build=$1 target=$2
shift 2
files=$(sed -n "s/^$target: *//p" tests/fuzz/reach.txt)
[ -n "$files" ] || { echo "reach.txt has no files for $target" >&2; exit 1; }
mkdir -p "$build/seeds/$target"
LLVM_PROFILE_FILE=/dev/null "$build/target-$target" --seeds "$build/seeds/$target"
for corpus; do
    [ ! -d "$corpus/$target" ] || set -- "$@" "$corpus/$target"
    shift
done
LLVM_PROFILE_FILE=$build/$target.raw "$build/target-$target" "$build/seeds/$target" "$@"
llvm-profdata merge -o "$build/$target.prof" "$build/$target.raw"
# shellcheck disable=SC2086 # patterns of files
llvm-cov report "$build/target-$target" -instr-profile="$build/$target.prof" -show-functions \
    $(ls -d $files) >"$build/$target.txt"
awk -v target="$target" '
    $1 == "TOTAL" || $1 ~ /^(File|Name|-+)$/ || NF < 7 { next }
    { functions++; lines += $5; missed += $6; if ($5 == $6) { unreached++; names = names "  " $1 "\n" } }
    END { printf "%-10s %5.1f %% of %d lines, %d of %d functions\n", target,
          100 * (lines - missed) / lines, lines, functions - unreached, functions
          printf "%s", names >"'"$build/$target.missed"'" }' "$build/$target.txt"
