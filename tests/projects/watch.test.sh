#!/usr/bin/env bash
# watch: builds at once, after an edit, not after an unrelated change; a wrong script shows its error and
# waits; the command runs after good builds only.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT

mkdir "$work/app" "$work/lib"
cd "$work" || exit 1
echo 'print(1)' >app/main.py
echo 'module("extra.py", "lib")' >manifest.py
echo 'X = 1' >lib/extra.py
mpy-freeze watch -f "$stock" -o product app/ manifest.py --run 'echo run >>runs' >out 2>err &
pid=$!

awaits() { # awaits RUNS ERRORS WHY: waits until there were that many runs and error messages
    for _ in $(seq 100); do
        runs=$(cat runs 2>/dev/null | wc -l)
        errors=$(grep -c 'error:' err)
        [ "$runs" -eq "$1" ] && [ "$errors" -eq "$2" ] && [ "$(grep -c waiting err)" -gt "$seen" ] && break
        sleep 0.1
    done
    [ "$runs" -eq "$1" ] && [ "$errors" -eq "$2" ] || wrong "$3: $runs runs, $errors errors"
    seen=$(grep -c waiting err)
}
seen=0
awaits 1 0 "at the start"
echo 'print(2)' >app/main.py
awaits 2 0 "after an edit"
echo 'print(' >app/main.py
awaits 2 1 "after a wrong edit"
echo 'print(3)' >app/main.py
awaits 3 1 "after the correction"
echo 'Y = 2' >>lib/extra.py
awaits 4 1 "after an edit of a file that the manifest lists"
echo 'Z = 2' >app/more.py
awaits 5 1 "after a new script"
echo x >app/notes.txt
sleep 0.5
[ "$(wc -l <runs)" -eq 5 ] || wrong "an unrelated file starts a build"
kill -0 "$pid" 2>/dev/null || wrong "it has ended"
[ $failures -eq 0 ]
