#!/bin/bash
# Sums up gcov's counts of a build made with --coverage: tests/lib/coverage.sh BUILD
set -eu
build=$1
find "$build" -name '*.gcda' | sort | while read -r data; do
    gcov -b -n -o "$(dirname "$data")" "$data" 2>/dev/null || true
done | awk '
    /^File / { split($0, q, "\x27"); file = q[2]; keep = file ~ /^(format|verify|packer)\// && file ~ /\.c$/ }
    /^Lines executed/ && keep { split($2, p, ":"); pct = p[2]; sub("%", "", pct); n = $4
        if (!(file in lines) || pct > line[file]) { line[file] = pct; lines[file] = n } }
    /^Taken at least once/ && keep { split($0, p, "[:% ]+"); if (!(file in branches) || p[5] > branch[file]) { branch[file] = p[5]; branches[file] = p[7] } }
    END {
        for (f in lines) {
            printf "%6.1f %% of %5d lines  %6.1f %% of %5d branches  %s\n", line[f], lines[f], branch[f], branches[f], f
            room = f; sub("/.*", "", room)
            hit[room] += line[f] * lines[f] / 100; all[room] += lines[f]
            bhit[room] += branch[f] * branches[f] / 100; ball[room] += branches[f]
        }
        for (r in all) printf "= %s: %.1f %% of %d lines, %.1f %% of %d branches\n", r, 100 * hit[r] / all[r], all[r], ball[r] ? 100 * bhit[r] / ball[r] : 0, ball[r]
    }' | sort -t'=' -k2
