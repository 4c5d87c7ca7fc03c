# Generators: send, throw, close, yield from, generator expressions, with statements.
def fibonacci(limit):
    a, b = 0, 1
    while a < limit:
        yield a
        a, b = b, a + b


def echo():
    received = []
    try:
        while True:
            try:
                received.append((yield len(received)))
            except ValueError as e:
                received.append("caught %s" % e)
    finally:
        received.append("closed")
        print("generators: echo", received)


def chain(*parts):
    for part in parts:
        got = yield from part
        yield ("part ended", got)


def numbered(n):
    for i in range(n):
        yield i
    return n * 10


class Managed:
    def __init__(self, name):
        self.name = name

    def __enter__(self):
        print("generators: enter", self.name)
        return self

    def __exit__(self, kind, value, traceback):
        print("generators: exit", self.name, kind.__name__ if kind else None)
        return kind is KeyError


def run():
    print("generators: fibonacci", list(fibonacci(100)))
    e = echo()
    print("generators: send", next(e), e.send("x"), e.throw(ValueError("bad")), e.send(None))
    e.close()
    print("generators: chain", list(chain(numbered(2), numbered(3))))
    print("generators: expression", sum(x * x for x in range(10) if x & 1))
    with Managed("outer"), Managed("inner"):
        raise KeyError("swallowed")
