#!/usr/bin/env bash
# watch: builds at once, after an edit, not after an unrelated change; a wrong script shows its error and
# waits; the command runs after good builds only.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$work"' EXIT

mkdir -p "$work/src/app" "$work/lib"
cd "$work" || exit 1
edit() { # edit FILE TEXT: in one step, else what is built in between counts, too
    echo "$2" >.edit && mv .edit "$1"
}
edit src/app/main.py 'print(1)'
echo 'module("extra.py", "lib")' >manifest.py
echo 'X = 1' >lib/extra.py
mpy-freeze watch -f "$stock" -o product src/app/ manifest.py --run 'echo run >>runs' >out 2>err &
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
edit src/app/main.py 'print(2)'
awaits 2 0 "after an edit"
edit src/app/main.py 'print('
awaits 2 1 "after a wrong edit"
edit src/app/main.py 'print(3)'
awaits 3 1 "after the correction"
echo 'Y = 2' >>lib/extra.py
awaits 4 1 "after an edit of a file that the manifest lists"
edit src/app/more.py 'Z = 2'
awaits 5 1 "after a new script"
echo x >src/app/notes.txt
sleep 0.5
[ "$(wc -l <runs)" -eq 5 ] || wrong "an unrelated file starts a build"
# The folder is renamed, replaced, removed and made again, as a whole.
mv src/app src/away
awaits 5 1 "after the folder was renamed"
mkdir src/new && echo 'print(4)' >src/new/main.py && mv src/new src/app
awaits 6 1 "after another folder took its place"
edit src/app/main.py 'print(5)'
awaits 7 1 "after an edit in that folder"
rm -r src/app
awaits 7 1 "after the folder was removed"
mkdir src/new && echo 'print(6)' >src/new/main.py && mv src/new src/app
awaits 8 1 "after it was made again"
kill -0 "$pid" 2>/dev/null || wrong "it has ended"
[ $failures -eq 0 ]
