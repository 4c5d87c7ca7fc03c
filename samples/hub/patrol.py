import robot


def run(laps=2):
    path = robot.Waypoints((0, 0), (0, 4), (3, 4), (3, 0), name="yard")
    pid = robot.Pid(2.5, kd=0.125)
    compass = robot.turns()
    for lap in range(laps):
        try:
            print(lap, next(compass)[0], path.describe(), pid.step(40 - lap * 10))
        except (ValueError, ZeroDivisionError) as e:
            print("stopped:", e)


if __name__ == "__main__":
    run()
