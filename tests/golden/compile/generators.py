def a():
    x = yield
    y = yield 1
    yield 1, 2
    z = yield from b()
    print((yield x), (yield))
    return (yield)
def c(): return [(yield i) for i in ()] if 0 else (yield 3)
d = (i for i in range(3) for j in i if j if i)
e = {k: v for k, v in d}
f = {x for x in e for y in x}
g = [[j for j in i] for i in f]
async def h():
    await i
    await j(k).l
    return await (m)
async def n(o):
    async with p as q, r: s(q)
    async with t:
        return u
    async for v in o:
        if v: break
        elif w: continue
        x()
    else:
        y()
    async for z in o: pass
    async def inner(): await a
    for b in c:
        async with d as e:
            if b: break
            continue
    try:
        await f
    finally:
        await g
