class Shape:
    count = 0

    def __init__(self, name):
        self.name = name
        Shape.count += 1

    @property
    def area(self):
        raise NotImplementedError("area of %s" % self.name)

    def __repr__(self):
        return "<{} {}>".format(type(self).__name__, self.name)

    def __lt__(self, other):
        return self.area < other.area
