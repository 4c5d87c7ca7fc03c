from micropython import const

_LIMIT = const(100)


class Pid:
    """A controller whose output stays within -100 and 100."""

    def __init__(self, kp, ki=0.0, kd=0.0, *, limit=_LIMIT):
        self.kp, self.ki, self.kd, self.limit = kp, ki, kd, limit
        self.integral = 0.0
        self.last = None

    def step(self, error, dt=0.01):
        self.integral += error * dt
        slope = 0.0 if self.last is None else (error - self.last) / dt
        self.last = error
        out = self.kp * error + self.ki * self.integral + self.kd * slope
        return max(-self.limit, min(self.limit, out))
