# Until 1.27 the byte 0xff in the call of an f-string is a line end.
x = f"{aÿ}", f"{a, ÿ b}"
y
