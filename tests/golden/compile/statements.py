"""Simple statements."""
import a, b.c.d, e.f as g
from h import (i, j as k,)
from . import l
from ...m.n import o
from p import *
global q
q = r = s[1] = t.u = 5
v, w = w, v
x, y, z = z, x, y
a, *b, c = d
[e, (f, g)] = h
(i) = j
k += 1; l.m -= 2; n[o] *= 3
p @= q; r //= s; t <<= u; v **= w
del x, y.z, a[b], (c, d)
n: int = 3
o: "text"
assert p, "message"
assert q
assert (r, s)
pass
...
"a lonely string"
5
t
u[:], u[1:], u[:2], u[1:2], u[::3], u[1:2:3], u[1, 2], u[a, 1:2], u[1:2:]
if __debug__:
    debugging()
raise
raise x
raise x from y
