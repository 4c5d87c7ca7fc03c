a = 'single', "double", '''triple
lines''', r'raw\n\'', b'bytes', rb'raw\x', Rb if 0 else 1
b = '\n\t\\\'\"\a\b\f\v\r\0\1\12\123\x41\u00e9\U0001f600\q\
continued'
c = b'\x00\xff\u1234\777' if 0 else b'\200'
d = "a string that is long enough" "and another" 'one'
e = "short", "ten chars!", "eleven chars", "AssertionError", "StopAsyncIteration", "__complex__", "__template__"
f = é, "é", 'ünïcödé', "\ud800"
longer_identifier = "longer_identifier", "later_identifier"
later_identifier = "later_identifier"
g = "nul\0inside", b"", "", u"text", ""''""
h = (1, "a tuple with a long string", b"and bytes"), (1, "a tuple with a long string", b"and bytes")
i = "same long string", "same long string", b"same long string"
