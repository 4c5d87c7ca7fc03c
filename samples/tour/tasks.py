# Async code: with asyncio where the firmware has it, and always with a scheduler of our own.
class Step:
    def __init__(self, value):
        self.value = value

    def __await__(self):
        got = yield self.value
        return got

    __iter__ = __await__


class Ticks:
    def __init__(self, n):
        self.n = n

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.n == 0:
            raise StopAsyncIteration
        self.n -= 1
        await Step("tick")
        return self.n


class Lock:
    async def __aenter__(self):
        await Step("lock")
        return "locked"

    async def __aexit__(self, kind, value, traceback):
        await Step("unlock")


async def worker(name, log):
    async with Lock() as state:
        log.append((name, state))
    async for n in Ticks(2):
        log.append((name, n))
    return name.upper()


def drive(*coroutines):
    log, waiting = [], list(coroutines)
    while waiting:
        task = waiting.pop(0)
        try:
            log.append(task.send(None))
            waiting.append(task)
        except StopIteration as e:
            log.append(e.value)
    return log


def with_asyncio():
    try:
        import asyncio
    except ImportError:
        return "no asyncio"

    async def add(a, b):
        await asyncio.sleep(0)
        return a + b

    async def main():
        return await asyncio.gather(add(1, 2), add(3, 4))

    return asyncio.run(main())


def run():
    log = []
    print("tasks: drive", drive(worker("a", log), worker("b", log)))
    print("tasks: log", log)
    print("tasks: asyncio", with_asyncio())
