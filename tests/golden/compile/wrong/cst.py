x = 1
y = const(x)
