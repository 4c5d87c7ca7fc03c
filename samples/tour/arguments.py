# Every way to pass arguments.
def plain(a, b, c=3):
    return a, b, c


def star(a, *rest, key, other="o", **named):
    return a, rest, key, other, sorted(named.items())


def only(*, x, y=2):
    return x, y


def wrong(function, *args, **kwargs):
    try:
        return function(*args, **kwargs)
    except TypeError as e:
        return "TypeError"


def run():
    print("arguments: plain", plain(1, 2), plain(1, c=4, b=5), plain(*[1, 2], **{"c": 9}))
    print("arguments: star", star(1, key=2), star(1, 2, 3, key=4, other=5, z=6, y=7))
    print("arguments: keyword-only", only(x=1), only(y=3, x=4))
    print("arguments: wrong", wrong(plain), wrong(only, 1), wrong(star, 1), wrong(plain, 1, 2, d=4))
    first, *middle, last = range(6)
    print("arguments: unpack", first, middle, last)
