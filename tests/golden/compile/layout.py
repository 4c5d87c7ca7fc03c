if a:
	b
        c
d = (1,
  # comment
 2)e = [

3,
]
f = 1 + \
  2; g = 3;
class H:

  # odd indent
  def i(self):

      return 1
  j = 2
#last line without end