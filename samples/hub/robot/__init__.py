# Pure Python for a small robot: no big ints, which many bare-metal firmwares leave out.
from .control import Pid
from .path import Waypoints, turns

__all__ = ("Pid", "Waypoints", "turns")
