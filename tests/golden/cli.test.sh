#!/usr/bin/env bash
# What holds for every command: --help on stdout with an example and exit code 0; an unknown option on
# stderr with exit code 2 and nothing on stdout; README.md names it.
. "$(dirname "$0")/../lib/script.sh"

commands=$(mpy-freeze --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
[ "$(echo "$commands" | wc -l)" -gt 1 ] || wrong "no commands in the help"
for c in $commands; do
    mpy-freeze "$c" --help >"$work/out" 2>"$work/err" || wrong "$c --help: exit $?"
    grep -q "^Usage: mpy-freeze $c" "$work/out" || wrong "$c --help: no usage line"
    grep -q '^Example' "$work/out" || wrong "$c --help: no example"
    [ ! -s "$work/err" ] || wrong "$c --help: words on stderr"
    mpy-freeze "$c" --no-such-option >"$work/out" 2>"$work/err"
    [ $? -eq 2 ] || wrong "$c --no-such-option: exit code is not 2"
    grep -q 'no-such-option' "$work/err" || wrong "$c --no-such-option: the message does not name it"
    [ ! -s "$work/out" ] || wrong "$c --no-such-option: words on stdout"
    grep -q "mpy-freeze $c" README.md || wrong "README.md does not show mpy-freeze $c"
done

mpy-freeze >/dev/null 2>"$work/err"
[ $? -eq 2 ] || wrong "no command: exit code is not 2"
[ -s "$work/err" ] || wrong "no command: no usage on stderr"
mpy-freeze nonsense >/dev/null 2>"$work/err"
[ $? -eq 2 ] || wrong "unknown command: exit code is not 2"
mpy-freeze version >/dev/full 2>"$work/err"
[ $? -eq 4 ] || wrong "a full standard output: exit code is not 4"
[ -s "$work/err" ] || wrong "a full standard output: no message"
[ $failures -eq 0 ]
