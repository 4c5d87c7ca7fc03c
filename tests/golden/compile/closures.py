def outer(a, b=1, *c, **d):
    x = 1
    y = 2
    def middle(e):
        nonlocal x
        x = e
        def inner(f=x):
            nonlocal y
            y += a
            return b, c, d, e, f, x, y
        return inner
    class Local(a):
        attribute = x
        def method(self):
            return self, b, attribute
    return middle, Local, [x + z for z in c if y], {x: y for y in d}, (q for q in a if q > x)
def counter():
    n = 0
    def step(*args, by=1):
        nonlocal n
        n += by
        return lambda: n + len(args)
    return step
def shadow(x):
    def f():
        global x
        x = 1
        def g(): return x
        return g
    return f
def walrus(a):
    if (n := len(a)) > 1:
        print(n)
    while chunk := a.read(n):
        use(chunk)
    return [last := i for i in a], last
any((hit := v) > 3 for v in [1, 2])
print([[(i, j) for j in range(i) if j % 2 if j] for i in range(9) if i])
