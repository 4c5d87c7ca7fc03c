# Cells, nonlocal, decorators, lambdas, comprehensions that capture.
def counter(start=0, step=1):
    value = start

    def advance():
        nonlocal value
        value += step
        return value

    def reset(to=start):
        nonlocal value
        value = to

    return advance, reset


def traced(log):
    def decorate(function):
        def wrapper(*args, **kwargs):
            log.append((function.__name__, args, sorted(kwargs.items())))
            return function(*args, **kwargs)

        return wrapper

    return decorate


_log = []


@traced(_log)
def scale(value, factor=2):
    return value * factor


def run():
    advance, reset = counter(10, 5)
    print("closures: counter", advance(), advance(), reset(), advance())
    print("closures: adders", [f(10) for f in [lambda x, n=n: x + n for n in range(4)]])
    print("closures: scale", scale(3), scale(3, factor=7), _log)
    table = {k: [k * j for j in range(3)] for k in "ab"}
    print("closures: comprehension", sorted(table.items()), sorted({x % 3 for x in range(10)}))
