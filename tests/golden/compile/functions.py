def nothing(): pass
def plain(a, b, c=1, *args, d, e=2, **kwargs): return a, b, c, args, d, e, kwargs
def annotated(a: int, b: str = "x", *c: float, **d: dict) -> bool: return a if b else c
def only_keywords(*, a, b=None): return a
def defaults(a=f(1, *b, **c), b=[1, 2], c={3: 4}): pass
@decorator
@other.one(1, 2, key=3)
def decorated():
    nested = lambda: 1
    return nested
@micropython.bytecode
def as_bytecode(x):
    return x
f = lambda: 0
g = lambda a, b=1, *c, d=2, **e: (a, b, c, d, e)
h = lambda x: (yield x)
def calls():
    f(); f(1); f(1, 2); f(a=1); f(1, a=2, b=3)
    f(*a); f(*a, *b); f(**c); f(1, *a, b=2, **c); f(x for x in y)
    a.b(c).d[e](*f).g(h=1)
    print("long string that is not interned", b"bytes", end="")
    f(a := 1, b)
    return f(*[1, 2], 3, *(4, 5), six=6, **{"seven": 7})
def conditional(a, b):
    return a if b else c if d else e
def many(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s):
    q = r; s = a; t = q; u = t
    del q, t
    return u
