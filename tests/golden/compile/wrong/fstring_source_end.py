# A second 0xff is the end of the source, NUL that of the call.
x = f"{aÿÿ}"
