options.defaults(standard=True, extra=False)
if options.standard and options.extra and not options.missing:
    freeze("other", script="x1.py")
elif options.extra is None:
    freeze("other", "x2.py")
