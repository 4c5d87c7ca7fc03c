#!/usr/bin/env bash
# info and list on stock firmware: what they read from the bytes is what the firmware says of itself
# when it runs, and what is known of the hubs.
. "$(dirname "$0")/../lib/script.sh"
needs jq
needs_stock_firmware

# --- a program that runs here
mpy-freeze info --json "$stock" >"$work/info.json" || wrong "info: exit $?"
field() { jq -r "$1" "$work/info.json"; }
says() { "$run" -c "import sys, math; $1"; }
[ "$(field '"\(.micropython.major).\(.micropython.minor).\(.micropython.patch)"')" = \
    "$(says 'print("%d.%d.%d" % sys.implementation.version[:3])')" ] || wrong release
[ "$(field .micropython.board)" = "$(says 'print(sys.implementation._machine)')" ] || wrong board
[ "$(field '.micropython.build_name // ""')" = \
    "$(says 'print(getattr(sys.implementation, "_build", ""))')" ] || wrong "build name"
[ "$(field '[.micropython.evidence[] | select(.why == "" or .why == null)] | length')" = 0 ] ||
    wrong "evidence without a reason"
[ "$(field .micropython.mpy.abi)" = "$(says 'print(sys.implementation._mpy)')" ] || wrong abi
[ "$(field .micropython.options.float)" = double ] || wrong "float width"
[ "$(field '.micropython.references.content | length')" = 1 ] || wrong "content references"
[ "$(field '.micropython.references.pool | length')" = 3 ] || wrong "pool references"
mpy-freeze list --json "$stock" >"$work/list.json" || wrong "list: exit $?"
[ "$(jq -r '.modules | length' "$work/list.json")" -gt 0 ] || wrong "no frozen modules"
for name in $(jq -r '.modules[].name' "$work/list.json"); do
    module=${name%.py} module=${module%/__init__}
    says "sys.path[:] = ['.frozen']; __import__('$module'.replace('/', '.'))" >"$work/out" 2>&1
    grep -q "no module named '$module'" "$work/out" && wrong "$name is listed but not there"
done

# --- hubs: raw images whose address must be inferred
while read -r hub base isa modules; do
    image=$(hub_firmware "$hub") || skip
    mpy-freeze info --json "$image" >"$work/info.json"
    got=$(jq -r '"\(.container.segments[0].address) \(.micropython.isa) \(.micropython.frozen.modules)"' \
        "$work/info.json")
    [ "$got" = "$base $isa $modules" ] || wrong "$hub: $got, not $base $isa $modules"
done <<END
primehub 0x8008000 thumb 2
essentialhub 0x8008000 thumb 2
technichub 0x8008000 thumb 2
cityhub 0x8005000 thumb 1
movehub 0x8005000 thumb 0
END

# --- no firmware at all
mpy-freeze info --json "$(command -v mpy-freeze)" >"$work/info.json" 2>"$work/err"
[ $? -eq 1 ] || wrong "a program without MicroPython: exit code is not 1"
[ "$(jq -r .micropython.found "$work/info.json")" = false ] || wrong "MicroPython in ourselves"
[ -s "$work/err" ] || wrong "no reason"
[ $failures -eq 0 ]
