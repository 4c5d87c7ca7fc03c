#!/usr/bin/env bash
# The compiler's cost grows with the script and no faster, whatever the script consists of: its steps
# are counted (steps.c) in a build of their own.
. "$(dirname "$0")/../lib/script.sh"

needs gcc
flags="-std=c11 -I. -D_POSIX_C_SOURCE=200809L"
counted="-O1 -fno-builtin -fsanitize-coverage=trace-pc"
echo 'int main(void){return 0;}' | gcc $counted -x c -c - -o "$work/probe.o" 2>/dev/null ||
    skip "gcc does not count steps"
for f in packer/compiler/*.c format/*.c format/mpy/*.c; do
    gcc $flags $counted -c "$f" -o "$work/$(echo "$f" | tr / _).o" || wrong "$f"
done
gcc $flags -O1 -o "$work/steps" tests/bench/steps.c tests/lib/shapes.c "$work"/*.c.o \
    -Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset,--wrap=memchr,--wrap=memcmp \
    $(pkg-config --libs zlib libxxhash nettle) -lm -pthread || wrong "steps"
"$work/steps" 40000 || wrong "see above"
[ $failures -eq 0 ]
