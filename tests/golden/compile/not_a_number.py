# Until 1.25 zero times infinity is no number, and no such constant is like another.
x = 0e999
y = 0e999, 0e999j
_z = const(0e999)
print(_z, _z, 0e999j, [0e999], 1e999, 1e999)
