def f(a, b):
    if a: return 1
    elif b: return 2
    else: return 3
    unreachable()
def g(a):
    while a:
        if b: break
        if c: continue
        d()
    else:
        e()
    while True:
        if f(): break
    while 1: pass
    while 0: never()
    for i in range(10): h(i)
    for i in range(1, a): h(i)
    for i in range(10, 0, -1): h(i)
    else: j()
    for i in range(a, b, 2):
        if i: break
    else: k()
    for i in range(a, b, c): l()
    for i in range(0): continue
    for x, (y, *z) in m:
        for q in n:
            if o: break
            elif p: continue
            return r
    else: s()
    for t[u] in v: pass
    for w.x in y, z: break
if False: a()
elif True: b()
else: c()
if (): d()
if "": e()
if "text": f()
if 0.0: g()
if (1, 2): h()
if (a, b): i()
if None: j()
if not (k and l or m) or not n: o()
if a < b < c <= d != e: p()
x = a and b or c and not d
y = a in b, a not in b, a is b, a is not b
if 5 and q: r()
if 0 or s: t()
if not 0: u()
