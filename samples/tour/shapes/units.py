from micropython import const

PI = 3.141592653589793
_DIGITS = const(3)


def rounded(value):
    return round(value, _DIGITS)
