DIRECTIONS = (("north", (0, 1)), ("east", (1, 0)), ("south", (0, -1)), ("west", (-1, 0)))


def turns(start=0):
    index = start
    while True:
        step = yield DIRECTIONS[index % len(DIRECTIONS)]
        index += step if step is not None else 1


class Waypoints:
    def __init__(self, *points, name="path"):
        self.points = list(points)
        self.name = name

    def __iter__(self):
        return iter(self.points)

    def length(self):
        total = 0
        for (x0, y0), (x1, y1) in zip(self.points, self.points[1:]):
            total += abs(x1 - x0) + abs(y1 - y0)
        return total

    def describe(self):
        if not self.points:
            raise ValueError("the path %s has no points; add some before it is described" % self.name)
        return "{}: {} points, length {}".format(self.name, len(self.points), self.length())
