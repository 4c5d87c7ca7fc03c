x = 'abc
y
