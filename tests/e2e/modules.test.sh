#!/usr/bin/env bash
# extract, dis and check on stock firmware: what comes out imports in that very firmware and is what
# upstream's compiler made of the same source.
. "$(dirname "$0")/../lib/script.sh"
needs jq
needs_stock_firmware

# --- extract: all modules, each importable without the frozen one
mpy-freeze extract "$stock" -d "$work/all" >"$work/out" || wrong "extract: exit $?"
[ "$(find "$work/all" -name '*.mpy' | wc -l)" = "$(mpy-freeze list --json "$stock" | jq '.modules | length')" ] ||
    wrong "not all modules were extracted"
got=$("$run" -c "
import sys
sys.path[:] = ['$work/all']
import asyncio
async def task(n):
    await asyncio.sleep_ms(n)
    return n
async def main():
    print(await asyncio.gather(task(3), task(1)), asyncio.__file__)
asyncio.run(main())") || wrong "extracted asyncio does not run"
[ "$got" = "[3, 1] $work/all/asyncio/__init__.mpy" ] || wrong "extracted asyncio says: $got"

# --- names, files that exist
mpy-freeze extract "$stock" -d "$work/one" asyncio.lock >/dev/null || wrong "extract NAME: exit $?"
[ "$(cd "$work/one" && find . -type f)" = ./asyncio/lock.mpy ] || wrong "NAME selects something else"
cmp -s "$work/one/asyncio/lock.mpy" "$work/all/asyncio/lock.mpy" || wrong "NAME gives other bytes"
mpy-freeze extract "$stock" -d "$work/one" nothing.here >/dev/null 2>&1
[ $? -eq 1 ] || wrong "a NAME that is not there is no failure"
echo mine >"$work/one/asyncio/lock.mpy"
mpy-freeze extract "$stock" -d "$work/one" asyncio.lock >/dev/null 2>&1
[ $? -eq 4 ] || wrong "an existing file: exit code is not 4"
[ "$(cat "$work/one/asyncio/lock.mpy")" = mine ] || wrong "an existing file was replaced"
mpy-freeze extract "$stock" -d "$work/one" asyncio.lock --force >/dev/null || wrong "--force"
cmp -s "$work/one/asyncio/lock.mpy" "$work/all/asyncio/lock.mpy" || wrong "--force did not replace"
ln -s /tmp "$work/linked" && ln -s "$work/linked" "$work/one/requests"
mpy-freeze extract "$stock" -d "$work/one" requests >/dev/null 2>&1
[ $? -eq 4 ] || wrong "a link in the way was followed"

# --- upstream's bytes: the source of Debian's package, compiled for that release
if bash tests/conformance/debian_source.sh trixie build/conformance/debian-source >/dev/null 2>&1; then
    sources=$(find build/conformance/debian-source/tree -path '*/extmod/asyncio' -type d | head -1)
    for name in core event funcs lock stream; do
        mpy-freeze compile --release 1.25.0 -O3 -s "asyncio/$name.py" -o "$work/$name.mpy" \
            "$sources/$name.py" || wrong "compile $name"
        cmp "$work/$name.mpy" "$work/all/asyncio/$name.mpy" || wrong "asyncio/$name differs"
    done
fi

# --- check and dis, text and JSON
mpy-freeze check "$stock" >/dev/null || wrong "check: exit $?"
[ "$(mpy-freeze check --json "$stock" | jq -r .ok)" = true ] || wrong "check --json"
mpy-freeze dis "$stock" asyncio.core >"$work/core.txt" || wrong "dis: exit $?"
grep -q 'LOAD_GLOBAL *ticks_add' "$work/core.txt" || wrong "dis shows no names"
mpy-freeze dis --json "$stock" asyncio.core >"$work/image.json"
mpy-freeze dis --json "$work/all/asyncio/core.mpy" >"$work/file.json"
for f in image file; do
    jq -c '[.modules[].functions[] | del(.at)]' "$work/$f.json" >"$work/$f.functions"
done
cmp "$work/image.functions" "$work/file.functions" || wrong "image and file are listed differently"

# --- a file that would crash the VM
cp "$work/all/asyncio/lock.mpy" "$work/bad.mpy"
printf '\xff' | dd of="$work/bad.mpy" bs=1 seek=$(($(stat -c %s "$work/bad.mpy") - 1)) conv=notrunc status=none
mpy-freeze check "$work/bad.mpy" >/dev/null 2>"$work/err"
[ $? -eq 3 ] || wrong "a wrong instruction: exit code is not 3"
grep -q 'offset 0x.*0xff is no instruction' "$work/err" || wrong "no offset and reason: $(cat "$work/err")"
[ "$(mpy-freeze check --json "$work/bad.mpy" 2>/dev/null | jq -r '.ok, .modules[0].ok')" = "$(printf 'false\nfalse')" ] ||
    wrong "check --json of a bad file"

# --- hubs: raw images
image=$(hub_firmware primehub) || skip
mpy-freeze extract "$image" -d "$work/hub" >/dev/null || wrong "extract of a hub: exit $?"
for f in "$work"/hub/*.mpy; do
    mpy-freeze check "$f" >/dev/null || wrong "check $f"
done
[ $failures -eq 0 ]
