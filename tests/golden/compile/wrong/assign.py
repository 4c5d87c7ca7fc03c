def f():
    pass
    1 = 2
