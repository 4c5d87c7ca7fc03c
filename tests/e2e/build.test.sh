#!/usr/bin/env bash
# build on a hub firmware: placement, the report, what it refuses and how it says so.
. "$(dirname "$0")/../lib/script.sh"
stock=$(hub_firmware primehub 2>"$work/why") || skip "$(tail -1 "$work/why")"
mkdir "$work/out"
product=$work/out/product

# refused CODE PATTERN ARGUMENTS...: exit code and words; nothing is written.
refused() {
    local code=$1 pattern=$2 status
    shift 2
    mpy-freeze build -f "$stock" -o "$product" "$@" >"$work/stdout" 2>"$work/stderr"
    status=$?
    [ $status -eq "$code" ] || wrong "exit $status, not $code: $*: $(head -2 "$work/stderr")"
    grep -Eq -- "$pattern" "$work/stderr" || wrong "no '$pattern' in: $(cat "$work/stderr")"
    [ -z "$(ls -A "$work/out")" ] || wrong "refused, but left $(ls "$work/out")"
    rm -f "$work"/out/*
}

mpy-freeze build -f "$stock" -o "$product" samples/hub --json >"$work/report" 2>/dev/null || wrong "build"
python3 - "$work/report" <<'PY' || wrong "the JSON report"
import json, sys
report = json.load(open(sys.argv[1]))
assert report["schema"] == "mpy-freeze/build/1"
names = {m["name"]: m["bytes"] for m in report["modules"]}
assert set(names) == {"patrol.py", "robot/__init__.py", "robot/control.py", "robot/path.py"}, names
assert all(size > 0 for size in names.values())
assert int(report["end"], 16) - int(report["address"], 16) == report["bytes"]
assert report["references"] >= 3 and report["free_bytes"] > 0 and report["signed"] is False
PY
# The table says the same.
mpy-freeze build -f "$stock" -o "$work/out/tabled" samples/hub >"$work/table" 2>/dev/null || wrong "build"
python3 - "$work/report" "$work/table" <<'PY' || wrong "the table and the JSON report differ: $(cat "$work/table")"
import json, sys
r = json.load(open(sys.argv[1]))
rows = [(m["bytes"], m["name"]) for m in r["modules"]]
want = ["%8d  %s" % row for row in rows]
want.append("%8d  in %d modules" % (r["module_bytes"], len(rows)))
want.append("blob      %s to %s, %d bytes, %s" % (r["address"], r["end"], r["bytes"],
                                                  "signed" if r["signed"] else "not signed"))
want.append("patched   %d references in %d places; %d new names, %d stock modules hidden%s" % (
    r["references"], r["patches"], r["new_names"], r["hidden_stock_modules"],
    "; the last qstr pool swapped where it was" if r["pool_swapped"] else ""))
want.append("free      %d bytes left in the region that ends at %s%s" % (
    r["free_bytes"], r["region_end"], ": " + r["region_why"] if r["region_why"] else ""))
assert r["module_bytes"] == sum(size for size, _ in rows)
got = open(sys.argv[2]).read().splitlines()
assert got == want, (got, want)
PY
rm -f "$work/out/tabled"
mpy-freeze build -f "$stock" -o "$work/again" samples/hub --json >/dev/null 2>&1
cmp "$product" "$work/again" || wrong "two builds differ"
mpy-freeze build -f "$stock" -o "$work/there" samples/hub --region 0x80a0001:64K >"$work/table" 2>/dev/null || wrong "--region"
grep -q '0x80a0010 to' "$work/table" || wrong "not placed where --region says: $(cat "$work/table")"
mpy-freeze unsplice "$work/there" -o "$work/base" && cmp "$work/base" "$stock" || wrong "unsplice from --region"
rm -f "$work"/out/*

refused 1 '[0-9]+ bytes are missing: .* need [0-9]+' samples/hub --region 0x80a0000:512
grep -Eq 'robot/(control|path).py takes [0-9]+ bytes' "$work/stderr" || wrong "the largest modules are not named"
refused 1 '' samples/hub --region 0x8010000:64K
refused 2 '--region' samples/hub --region here
refused 2 '--type' samples/hub --type nothing
refused 2 'nothing to freeze'
refused 2 'at most 31' samples/hub --app "$(printf 'a%.0s' {1..32})"
refused 2 'not a module' Makefile
refused 4 'absent.py' absent.py

# .mpy files are checked against the firmware.
printf 'x = 1\n' >"$work/m.py"
mpy-freeze compile -s m.py "$work/m.py" -o "$work/m.mpy" || wrong "compile"
mpy-freeze build -f "$stock" -o "$work/frommpy" "$work/m.mpy" >/dev/null 2>&1 || wrong "a .mpy file"
mpy-freeze compile -s m.py -msmall-int-bits=47 "$work/m.py" -o "$work/wide.mpy" || wrong "compile"
refused 1 'small ints' "$work/wide.mpy"
printf 'M\005\000\037' >"$work/old.mpy"
refused 3 'old.mpy' "$work/old.mpy"
mkdir "$work/pkg" && touch "$work/pkg/__init__.py" "$work/pkg.py"
refused 2 'a module and a package' "$work/pkg" "$work/pkg.py"

# A blob made for one firmware does not go into another.
mpy-freeze pack -f "$stock" -o "$work/app.frz" samples/hub >/dev/null 2>&1 || wrong "pack"
mpy-freeze splice -f "$stock" -b "$work/app.frz" -o "$work/spliced" || wrong "splice"
mpy-freeze build -f "$stock" -o "$work/built" samples/hub >/dev/null 2>&1
cmp "$work/spliced" "$work/built" || wrong "pack and splice give another product than build"
other=$(dirname "$(dirname "$stock")")/essentialhub/firmware-base.bin
mpy-freeze splice -f "$other" -b "$work/app.frz" -o "$work/out/no" 2>"$work/stderr" && wrong "a foreign blob was spliced"
grep -q 'another firmware' "$work/stderr" || wrong "a foreign blob: $(cat "$work/stderr")"
mpy-freeze unsplice "$stock" -o "$work/out/no" 2>/dev/null
[ $? -eq 1 ] || wrong "unsplice of a stock image"
[ -z "$(ls -A "$work/out")" ] || wrong "left $(ls "$work/out")"
[ $failures -eq 0 ]
