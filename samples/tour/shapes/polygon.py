from .base import Shape


class Rectangle(Shape):
    def __init__(self, width, height, name="rectangle"):
        super().__init__(name)
        self.width, self.height = width, height

    @property
    def area(self):
        return self.width * self.height


class Square(Rectangle):
    def __init__(self, side):
        super().__init__(side, side, name="square")

    @staticmethod
    def unit():
        return Square(1)

    @classmethod
    def of_area(cls, area):
        return cls(area**0.5)
