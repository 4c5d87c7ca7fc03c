#!/usr/bin/env bash
# Mutated bytecode that `check` accepts cannot crash a VM: MUTANTS (300) of them run in a stock
# MicroPython, each in a process of its own. Exceptions, endless loops and wrong results are fine.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware
mkdir "$work/mpy" "$work/mutants"
for f in samples/tour/*.py; do
    mpy-freeze compile --release 1.25 "$f" -o "$work/mpy/$(basename "$f" .py).mpy" || exit 1
done
make_mutants "$work/mutants" "${MUTANTS:-300}" "${MUTANTS_SEED:-1}" "$work"/mpy/*.mpy || exit 1
cd "$work/mutants" || exit 1
for f in *.mpy; do
    (ulimit -t 5 && exec "$run" -c "import sys; sys.path[:] = ['.']; import ${f%.mpy}") >"$work/out" 2>&1 </dev/null
    status=$?
    case $status in
    0 | 1 | 137 | 152) ;; # 137, 152: an endless loop
    *) wrong "$f, seed ${MUTANTS_SEED:-1}: exit $status: $(tail -1 "$work/out")" ;;
    esac
done
[ $failures -eq 0 ]
