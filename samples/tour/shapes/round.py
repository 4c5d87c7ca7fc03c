from .base import Shape
from .units import PI


class Circle(Shape):
    def __init__(self, radius):
        super().__init__("circle")
        self.radius = radius

    @property
    def area(self):
        return PI * self.radius**2
