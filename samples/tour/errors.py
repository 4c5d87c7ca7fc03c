# Exceptions; the tracebacks must name this file and the right lines, frozen or not.
import io
import sys


class AppError(Exception):
    def __init__(self, message, code):
        super().__init__(message)
        self.code = code


def fail(depth):
    if depth == 0:
        raise AppError("at the bottom", 42)
    fail(depth - 1)


def traceback_of(function, *args):
    try:
        function(*args)
    except Exception as e:
        text = io.StringIO()
        sys.print_exception(e, text)
        return text.getvalue()


def cleanup(log):
    for i in range(3):
        try:
            if i == 1:
                continue
            if i == 2:
                return "returned"
            log.append("body %d" % i)
        finally:
            log.append("finally %d" % i)


def run():
    print("errors: traceback")
    print(traceback_of(fail, 2))
    print(traceback_of(lambda: 1 // 0))
    log = []
    print("errors: cleanup", cleanup(log), log)
    try:
        try:
            fail(0)
        except AppError as e:
            raise ValueError("wrapped %d" % e.code)
        else:
            print("never")
    except (ValueError, KeyError) as e:
        print("errors: wrapped", e)
    try:
        assert 1 == 2, "an assertion"
    except AssertionError as e:
        print("errors: assertion", e)
