#!/usr/bin/env bash
# What build says of products that can be taken over, and what --strict refuses.
. "$(dirname "$0")/../lib/script.sh"
needs_stock_firmware

echo 'def run(): pass' >"$work/app.py"
# strict STATUS ID,ID... : main.py on stdin
strict() {
    local want=$1 ids=$2
    cat >"$work/main.py"
    rm -f "$work/product"
    mpy-freeze build -f "$stock" -o "$work/product" --strict "$work/main.py" "$work/app.py" >/dev/null 2>"$work/err"
    local status=$?
    [ $status -eq "$want" ] || wrong "exit code $status, not $want, for: $(cat "$work/main.py")"
    if [ "$want" -ne 0 ]; then
        [ ! -e "$work/product" ] || wrong "a refused product was written"
    fi
    mpy-freeze build -f "$stock" -o "$work/product" --json "$work/main.py" "$work/app.py" >"$work/json" 2>/dev/null ||
        wrong "without --strict it is not built: $(cat "$work/main.py")"
    local found
    found=$(python3 -c 'import json,sys
print(",".join(w["id"] for w in json.load(open(sys.argv[1]))["warnings"] if not w["advice"]))' "$work/json")
    [ "$found" = "$ids" ] || wrong "found $found, not $ids, for: $(cat "$work/main.py")"
}

strict 1 shadowed-import,shadowed-import,ends,exception,interrupt <<'END'
import time, micropython, app
app.run()
END
strict 1 exception,interrupt <<'END'
import sys
sys.path[:] = ['.frozen']
import app
while True:
    app.run()
END
strict 1 exception,interrupt <<'END'
import sys
del sys.path[0]
import app
while True:
    try:
        app.run()
    except ValueError:
        pass
END
strict 1 shadowed-import,interrupt <<'END'
def work():
    import app
    app.run()
while True:
    try:
        work()
    except Exception:
        pass
END
strict 1 ends <<'END'
import sys, micropython
sys.path.pop(0)
micropython.kbd_intr(-1)
import app
try:
    app.run()
except BaseException as e:
    print(e)
END
strict 0 "" <<'END'
import sys, micropython
sys.path[:] = ['.frozen']
micropython.kbd_intr(-1)
import app, machine
try:
    app.run()
finally:
    machine.reset()
END
strict 0 "" <<'END'
import sys
sys.path.clear()
sys.path.append('.frozen')
import micropython, app, time
micropython.kbd_intr(-1)
while True:
    try:
        app.run()
    except Exception as e:
        sys.print_exception(e)
        time.sleep(1)
END
strict 0 "" <<'END'
import sys
sys.path.remove('')
import app
while True:
    try:
        app.run()
    except:
        pass
END

mpy-freeze build -f "$stock" -o "$work/product" --strict "$work/app.py" >/dev/null 2>"$work/err"
[ $? -eq 1 ] || wrong "a product without main.py is not refused"
grep -q 'no main.py is frozen' "$work/err" || wrong "the reason is not named"

# A boot.py that locks sys.path and the console covers main.py.
printf 'import sys, micropython\nsys.path[:] = [".frozen"]\nmicropython.kbd_intr(-1)\n' >"$work/boot.py"
printf 'import app\nwhile True:\n    try:\n        app.run()\n    except Exception:\n        pass\n' >"$work/main.py"
mpy-freeze build -f "$stock" -o "$work/product" --strict --boot "$work/boot.py" --main "$work/main.py" "$work/app.py" >/dev/null 2>"$work/err" ||
    wrong "boot.py does not cover main.py: $(cat "$work/err")"

# The cost grows with main.py and no faster: here with what it imports, and with jumps back, each of
# which leads to the next.
builds() { # builds INPUT: within 10 s and 600 MB
    bounded 10 600000 mpy-freeze build -f "$stock" -o "$work/product" "$1" >"$work/out" 2>"$work/err" ||
        wrong "exit $?, 10 s and 600 MB are allowed: $1: $(tail -c 300 "$work/err")"
}
seq -f 'import x%.0f' 40000 >"$work/main.py"
builds "$work/main.py"
python3 - "$work/main.mpy" <<'END'
import sys
def number(n):
    out = [n & 0x7F]
    while n := n >> 7:
        out.insert(0, 0x80 | n & 0x7F)
    return bytes(out)
def jump(distance):
    distance += 0x4000
    return bytes((0x42, 0x80 | distance & 0x7F, distance >> 7))
last = 100000
code = jump(3) + b"\x51\x63\x63" # over: return None
for i in range(last):
    code += jump(3 if i + 1 < last else 0) + jump(-9)
code = b"\x00\x02\x00" + code
name = b"main.py"
open(sys.argv[1], "wb").write(b"M\x06\x00\x1f" + number(1) + number(0) + number(len(name) << 1) + name + b"\0" +
                              number(len(code) << 3) + code)
END
builds "$work/main.mpy"
grep -q 'can run to its end' "$work/err" || wrong "jumps back: $(cat "$work/err")"
[ $failures -eq 0 ]
