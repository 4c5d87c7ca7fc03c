# The map of starred arguments is one word, whose shifts go round.
# option: -msmall-int-bits=0
# option: -msmall-int-bits=30
# option: -msmall-int-bits=65
# option: -msmall-int-bits=255
f(a, *b, c, *d)
f(a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, *b)
