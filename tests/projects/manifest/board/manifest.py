freeze("../other", ("x2.py", "x10.py"), opt=options.opt)
