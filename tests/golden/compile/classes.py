class A: pass
class B(): x = 1
class C(A, B, metaclass=D, **kw):
    """Docstring."""
    y: int = 2
    def __init__(self, *args):
        super().__init__(*args)
        super().x
        super(C, self).y(1)
        self.z = super()
    @property
    def p(self): return __class__
    @p.setter
    def p(self, v): self.v = v
    async def coro(self): return await self.p
    class Inner(A):
        q = [i for i in range(3)]
        def f(s, t): return super().f(t).g()
@deco
class E(F.G): __slots__ = ("a", "b")
