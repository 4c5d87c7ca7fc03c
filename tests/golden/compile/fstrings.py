a = f"", f"plain", f"{b}", f"{b}{c}", f"x{b}y{c:>10}z", f"{b=}", f"{ b = }", f"{b:{c}}"
d = f"{b[1]}", f"{b['k']}", f"{b.c(d, e)}", f"{(lambda: 1)()}", f"{b, c}", f"{b + 1:#x}"
e = f"{{}}", f"{{{b}}}", "a" f"{b}" "c"
g = f'''{b}
{c
}'''
h = f"{b if c else d}" % e
print(f"{a}", f"{b:.3f}", sep=f"{c}")
