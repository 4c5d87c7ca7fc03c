# Constants of every kind that a compiler stores in a module.
from micropython import const

_MASK = const(0xFF00)
SMALL = (0, 1, -1, 63, -64, 255, 65535, -65536, 0x3FFFFFFF, -0x40000000)
BIG = (
    0x40000000,
    -0x40000001,
    0x7FFFFFFFFFFFFFFF,
    -0x8000000000000000,
    1 << 64,
    123456789012345678901234567890,
    -(1 << 200),
)
FLOATS = (0.0, -0.5, 1.5, 3.141592653589793, 1e100, -2.5e-10, 1e-300)
COMPLEX = (1j, -2.5j)
SHORT = "short"
LONG = "a string that is longer than what the compiler turns into an interned string by itself, " * 2
UNICODE = "grüße, 世界 \u20ac \U0001f40d"
BYTES = b"bytes with \x00 NUL and \xff"
NUL_STRING = "a\0b"
NESTED = (1, ("two", (3.5, (None, True, False, ...)), b"4"), (), 1 << 80)
ELLIPSIS = ...


def run():
    print("constants: small", SMALL, _MASK)
    print("constants: big", BIG)
    print("constants: floats", FLOATS)
    print("constants: complex", COMPLEX)
    print("constants: strings", SHORT, len(LONG), LONG[80:100], UNICODE, repr(NUL_STRING))
    print("constants: bytes", BYTES, bytes(0) == b"")
    print("constants: nested", NESTED, ELLIPSIS is ...)
    print("constants: arithmetic", BIG[5] // 7, BIG[5] % 1000007, hash(1 << 61) == hash(1 << 61))
    print("constants: lookup", {SHORT: 1, BYTES: 2, NUL_STRING: 3, 1.5: 4}[NUL_STRING])
