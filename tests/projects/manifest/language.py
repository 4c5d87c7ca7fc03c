import os
import os.path as p
import sys
from glob import glob
from pathlib import Path

APP, OTHER = "app", "other"
files = [f for f in sorted(os.listdir(OTHER)) if f.endswith(".py") and f != "version_own.py"]
for i, f in enumerate(files, 1):
    freeze(OTHER, f, opt=i % 4)
names = {"x%d.py" % n: n for n in range(1, 20) if n in (1, 2, 10)}
for name in sorted(names, key=lambda k: -names[k]):
    module(name, base_path=OTHER)
if os.path.isdir(APP) and not os.path.exists(os.path.join(APP, "nope")):
    freeze(os.path.join(APP, "sub"), "{}.py".format("b"))
    freeze(f"{APP}/sub", f"{'deep'}/{'c'!s}.py", opt=3 if len(files) > 2 else 1)
def add(folder, *scripts, opt=None):
    "Freezes scripts of a folder."
    for s in scripts:
        freeze(folder, s, opt=opt)
    return len(scripts)
count = add(APP, "main.py", "zeta.py") + add(OTHER, *files[:1], opt=2)
assert count == 3, "count"
try:
    require("no_such_package")
except ValueError as e:
    if "not found" in str(e):
        freeze("app/", "main.py")
try:
    include("missing.py")
except Exception:
    pass
else:
    freeze("nowhere")
finally:
    freeze(APP, "zeta.py")
n = 3
while n > 0:
    n -= 1
    if n == 1:
        continue
    module("x%s.py" % ("1" if n else "10"), OTHER)
for path in sorted(glob("other/x?.py")):
    head, tail = os.path.split(path)
    freeze(head, tail)
for m in sorted(Path("app").glob("*.py")):
    freeze_as_mpy(str(m.parent), m.name)
for m in sorted(Path(".").rglob("c.py")):
    freeze(str(m.parent), str(m.name))
if sys.platform == "linux" and os.environ.get("NO_SUCH_VARIABLE_", "x") == "x":
    freeze(p.relpath("app/sub", "."), "b.py")
text = "a,b;c"
parts = text.replace(";", ",").split(",")
assert parts == ["a", "b", "c"] and "-".join(parts).upper() == "A-B-C"
assert "%s %d %r %05.1f %%" % ("x", 7, "q", 2.25) == "x 7 'q' 002.2 %"
assert "{:>5}|{:<4}|{:^5}|{:03d}|{x!r}".format("ab", "c", "d", 7, x="y") == "   ab|c   |  d  |007|'y'"
assert [x for x in range(10)][2:-3] == [2, 3, 4, 5, 6] and "abc"[::-1] == "cba" and "héé"[1:] == "éé"
assert 7 // -2 == -4 and -7 % 3 == 2 and 2 ** 10 == 1024 and 1 << 4 == 16 and 6 / 4 == 1.5
assert not any([]) and all([1, "x"]) and max(3, 1) == 3 and sum([1, 2]) == 3 and sorted("cab") == ["a", "b", "c"]
a = b = [1]
a += [2]
assert b == [1, 2] and {1, 2} | {3} == {3, 2, 1} and (1, 2) + (3,) == (1, 2, 3) and [0] * 2 == [0, 0]
assert "x".zfill(3) == "00x" and " a ".strip() == "a" and "a.b.c".rsplit(".", 1) == ["a.b", "c"]
d = dict(a=1); d["b"] = 2; d.update({"c": 3})
assert list(d.items()) == [("a", 1), ("b", 2), ("c", 3)] and "b" in d and d.get("z", 9) == 9
assert 1 < 2 <= 2 != 3 and (None or "x") == "x" and (0 and 1) == 0
assert os.path.splitext("a/b.tar.gz") == ("a/b.tar", ".gz") and os.path.basename("x/y") == "y"
assert os.path.normpath("a/../b/./c//d/..") == "b/c" and os.path.dirname("/a/b") == "/a"
print("count", count)
