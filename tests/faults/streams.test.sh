#!/usr/bin/env bash
# What a process may be started with, or meets on its way: standard streams that are closed or full, limits of
# file sizes, full disks, folders that may not be written, pipes that stay silent. Each time exit code 4,
# words if there is somebody to read them, the old output as it was, and nothing left behind.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware

cd "$work" || exit 1
printf 'def f(x):\n    return x + 1\nprint(f(1), 2.5)\n' >app.py
echo old >old
mpy-freeze keygen -o key.pem && mpy-freeze pubkey -k key.pem -o pub.pem || exit 1
build() { mpy-freeze build -f "$stock" -k key.pem "$@" app.py; }
build -o product >/dev/null 2>&1 && mpy-freeze compile app.py -o app.mpy || exit 1

# refused WORDS COMMAND...: exit code 4 and these words, with standard output to $to.
refused() {
    local words=$1 text status
    shift
    text=$({ if [ "$to" = closed ]; then "$@" >&-; else "$@" >"$to"; fi; } 2>&1)
    status=$?
    [ $status -eq 4 ] || wrong "exit $status, not 4: $*"
    [[ $text = *$words* ]] || wrong "no '$words': $*: ${text:0:300}"
}
to=/dev/null
full() { to=/dev/full refused "$@"; }
closed() { to=closed refused "$@"; }
nothing_left() {
    [ "$(cat out/product)" = old ] || wrong "$*: the old output was changed"
    [ "$(ls -A out)" = product ] || wrong "$*: left $(ls -A out | tr '\n' ' ')"
    rm -rf out && mkdir out && cp old out/product
}
mkdir out && cp old out/product

# Standard output that takes nothing.
for c in --help help 'help build' 'build --help' --version version boards 'boards --json' 'boards PYBV11' \
    'info product' 'info product --json' 'list product' 'list product --json' 'dis app.mpy' \
    'dis app.mpy --json' 'check product' 'check app.mpy --json' 'verify product -k pub.pem' \
    'verify product -k pub.pem --json' 'pubkey -k key.pem' 'compile app.py -o -' \
    'compile app.py -o /dev/stdout' 'unsplice product -o -' 'compile --help' 'compile --version'; do
    full 'cannot write: No space' mpy-freeze $c
    closed 'cannot write: Bad file' mpy-freeze $c
done
for c in --help --version 'product -k pub.pem' 'product -k pub.pem --json'; do
    full 'cannot write: No space' mpy-verify $c
    closed 'cannot write: Bad file' mpy-verify $c
done
for c in --version 'app.py -o -'; do
    mpy-cross $c >/dev/full 2>stderr && wrong "mpy-cross $c: nobody got it"
    grep -q 'cannot write' stderr || wrong "mpy-cross $c: no words"
done
# A report that cannot be told is a failure, and a failure changes nothing.
full 'cannot write' build -o out/product
nothing_left 'build >/dev/full'
closed 'cannot write' build --json -o out/product
nothing_left 'build --json >&-'
full 'cannot write' mpy-freeze pack -f "$stock" -o out/product app.py
nothing_left 'pack >/dev/full'

# Nothing that is printed goes into a file that got the number of a closed stream.
for closed in '<&-' '2>&-' '<&- 2>&-'; do
    eval "build -o out/product $closed" >stdout || wrong "build $closed: exit $?"
    cmp -s product out/product || wrong "build $closed: another product"
done
eval 'build -o out/product >&- 2>&- <&-' && wrong "build without any stream: exit 0"
cp old out/product

# Both the output and the report to one stream.
build -o - 2>stderr | cmp -s - product || wrong "build -o - gives something else"
grep -q '^blob ' stderr || wrong "build -o -: no report: $(head -c 300 stderr)"
build --json -o - >stdout 2>stderr
[ $? -eq 2 ] && [ ! -s stdout ] || wrong "build --json -o -: $(head -c 300 stderr)"

# A limit of file sizes, and a full disk.
limited() { (ulimit -f "$1" && shift && "$@"); }
refused 'File too large' limited 200 mpy-freeze build -f "$stock" -k key.pem -o out/product app.py
nothing_left 'build above the limit'
echo old >out/product.modules
refused 'File too large' limited 200 mpy-freeze build -f "$stock" -k key.pem -o out/product --detach-modules app.py
[ "$(cat out/product.modules)" = old ] || wrong "the list of another product stands beside the old one"
rm out/product.modules
nothing_left 'build --detach-modules above the limit'
refused 'File too large' limited 200 mpy-freeze unsplice product -o out/product
nothing_left 'unsplice above the limit'
refused 'File too large' limited 0 mpy-freeze compile app.py -o out/app.mpy
nothing_left 'compile above the limit'
refused 'File too large' limited 0 mpy-freeze keygen -o out/key.pem
nothing_left 'keygen above the limit'
refused 'File too large' limited 0 mpy-freeze extract product -d out/folder
rm -rf out/folder
nothing_left 'extract above the limit'
if mkdir full && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
    echo old >full/product
    refused 'No space' mpy-freeze unsplice product -o full/product
    refused 'No space' mpy-freeze build -f "$stock" -o full/product app.py
    [ "$(cat full/product)" = old ] && [ "$(ls -A full)" = product ] || wrong "a full disk: $(ls -lA full)"
    umount full
fi

# A folder that may be read only. Root may do everything, so somebody else tries.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    cp "$BUILD/mpy-freeze" "$work" && chmod 755 "$work" out && chmod 644 "$work"/*.py product
    nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups ./mpy-freeze "$@"; }
    nobody version >/dev/null 2>&1 && {
        refused 'Permission denied' nobody build -f product -o out/product app.py
        refused 'Permission denied' nobody unsplice product -o out/product
        refused 'Permission denied' nobody compile app.py -o out/product.mpy
        refused 'Permission denied' nobody keygen -o out/key.pem
        refused 'Permission denied' nobody build -f product -o - -k key.pem app.py
        refused 'Permission denied' nobody extract product -d out/folder
        nothing_left 'a folder of somebody else'
    }
fi

# A pipe by name without a writer has an end with words.
mkfifo silent
refused 'nobody writes' timeout 60 mpy-freeze keygen -o out/key.pem --passphrase-file silent
refused 'nobody writes' timeout 60 mpy-freeze verify silent -k pub.pem
refused 'nobody writes' timeout 60 mpy-freeze verify product -k silent
nothing_left 'a silent pipe'
(sleep 1 && echo secret >silent) &
mpy-freeze keygen -o out/key.pem --passphrase-file silent || wrong "a pipe with a passphrase"
wait
MPY_FREEZE_PASSPHRASE=secret mpy-freeze pubkey -k out/key.pem >/dev/null || wrong "the passphrase of a pipe"
[ $failures -eq 0 ]
