# A module with much code and many constants: what freezing saves is most visible here.
# Importing it frozen takes heap for the function objects and the module dict only.

VOLT_LEVELS = (
    "volt level 0: a text that stays in flash when it is frozen",
    "volt level 1: a text that stays in flash when it is frozen",
    "volt level 2: a text that stays in flash when it is frozen",
    "volt level 3: a text that stays in flash when it is frozen",
    "volt level 4: a text that stays in flash when it is frozen",
    "volt level 5: a text that stays in flash when it is frozen",
)


def volt_convert(value, scale=1000, offset=4):
    """Converts a raw volt reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 12 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def volt_report(readings, name="volt"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = VOLT_LEVELS[reading % len(VOLT_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, volt_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


AMPERE_LEVELS = (
    "ampere level 0: a text that stays in flash when it is frozen",
    "ampere level 1: a text that stays in flash when it is frozen",
    "ampere level 2: a text that stays in flash when it is frozen",
    "ampere level 3: a text that stays in flash when it is frozen",
    "ampere level 4: a text that stays in flash when it is frozen",
    "ampere level 5: a text that stays in flash when it is frozen",
)


def ampere_convert(value, scale=1000, offset=6):
    """Converts a raw ampere reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 18 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def ampere_report(readings, name="ampere"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = AMPERE_LEVELS[reading % len(AMPERE_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, ampere_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


KELVIN_LEVELS = (
    "kelvin level 0: a text that stays in flash when it is frozen",
    "kelvin level 1: a text that stays in flash when it is frozen",
    "kelvin level 2: a text that stays in flash when it is frozen",
    "kelvin level 3: a text that stays in flash when it is frozen",
    "kelvin level 4: a text that stays in flash when it is frozen",
    "kelvin level 5: a text that stays in flash when it is frozen",
)


def kelvin_convert(value, scale=1000, offset=6):
    """Converts a raw kelvin reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 18 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def kelvin_report(readings, name="kelvin"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = KELVIN_LEVELS[reading % len(KELVIN_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, kelvin_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


PASCAL_LEVELS = (
    "pascal level 0: a text that stays in flash when it is frozen",
    "pascal level 1: a text that stays in flash when it is frozen",
    "pascal level 2: a text that stays in flash when it is frozen",
    "pascal level 3: a text that stays in flash when it is frozen",
    "pascal level 4: a text that stays in flash when it is frozen",
    "pascal level 5: a text that stays in flash when it is frozen",
)


def pascal_convert(value, scale=1000, offset=6):
    """Converts a raw pascal reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 18 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def pascal_report(readings, name="pascal"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = PASCAL_LEVELS[reading % len(PASCAL_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, pascal_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


LUMEN_LEVELS = (
    "lumen level 0: a text that stays in flash when it is frozen",
    "lumen level 1: a text that stays in flash when it is frozen",
    "lumen level 2: a text that stays in flash when it is frozen",
    "lumen level 3: a text that stays in flash when it is frozen",
    "lumen level 4: a text that stays in flash when it is frozen",
    "lumen level 5: a text that stays in flash when it is frozen",
)


def lumen_convert(value, scale=1000, offset=5):
    """Converts a raw lumen reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 15 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def lumen_report(readings, name="lumen"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = LUMEN_LEVELS[reading % len(LUMEN_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, lumen_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


METRE_LEVELS = (
    "metre level 0: a text that stays in flash when it is frozen",
    "metre level 1: a text that stays in flash when it is frozen",
    "metre level 2: a text that stays in flash when it is frozen",
    "metre level 3: a text that stays in flash when it is frozen",
    "metre level 4: a text that stays in flash when it is frozen",
    "metre level 5: a text that stays in flash when it is frozen",
)


def metre_convert(value, scale=1000, offset=5):
    """Converts a raw metre reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 15 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def metre_report(readings, name="metre"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = METRE_LEVELS[reading % len(METRE_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, metre_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


SECOND_LEVELS = (
    "second level 0: a text that stays in flash when it is frozen",
    "second level 1: a text that stays in flash when it is frozen",
    "second level 2: a text that stays in flash when it is frozen",
    "second level 3: a text that stays in flash when it is frozen",
    "second level 4: a text that stays in flash when it is frozen",
    "second level 5: a text that stays in flash when it is frozen",
)


def second_convert(value, scale=1000, offset=6):
    """Converts a raw second reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 18 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def second_report(readings, name="second"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = SECOND_LEVELS[reading % len(SECOND_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, second_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


GRAM_LEVELS = (
    "gram level 0: a text that stays in flash when it is frozen",
    "gram level 1: a text that stays in flash when it is frozen",
    "gram level 2: a text that stays in flash when it is frozen",
    "gram level 3: a text that stays in flash when it is frozen",
    "gram level 4: a text that stays in flash when it is frozen",
    "gram level 5: a text that stays in flash when it is frozen",
)


def gram_convert(value, scale=1000, offset=4):
    """Converts a raw gram reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 12 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def gram_report(readings, name="gram"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = GRAM_LEVELS[reading % len(GRAM_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, gram_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


HERTZ_LEVELS = (
    "hertz level 0: a text that stays in flash when it is frozen",
    "hertz level 1: a text that stays in flash when it is frozen",
    "hertz level 2: a text that stays in flash when it is frozen",
    "hertz level 3: a text that stays in flash when it is frozen",
    "hertz level 4: a text that stays in flash when it is frozen",
    "hertz level 5: a text that stays in flash when it is frozen",
)


def hertz_convert(value, scale=1000, offset=5):
    """Converts a raw hertz reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 15 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def hertz_report(readings, name="hertz"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = HERTZ_LEVELS[reading % len(HERTZ_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, hertz_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


NEWTON_LEVELS = (
    "newton level 0: a text that stays in flash when it is frozen",
    "newton level 1: a text that stays in flash when it is frozen",
    "newton level 2: a text that stays in flash when it is frozen",
    "newton level 3: a text that stays in flash when it is frozen",
    "newton level 4: a text that stays in flash when it is frozen",
    "newton level 5: a text that stays in flash when it is frozen",
)


def newton_convert(value, scale=1000, offset=6):
    """Converts a raw newton reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 18 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def newton_report(readings, name="newton"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = NEWTON_LEVELS[reading % len(NEWTON_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, newton_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


JOULE_LEVELS = (
    "joule level 0: a text that stays in flash when it is frozen",
    "joule level 1: a text that stays in flash when it is frozen",
    "joule level 2: a text that stays in flash when it is frozen",
    "joule level 3: a text that stays in flash when it is frozen",
    "joule level 4: a text that stays in flash when it is frozen",
    "joule level 5: a text that stays in flash when it is frozen",
)


def joule_convert(value, scale=1000, offset=5):
    """Converts a raw joule reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 15 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def joule_report(readings, name="joule"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = JOULE_LEVELS[reading % len(JOULE_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, joule_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


WATT_LEVELS = (
    "watt level 0: a text that stays in flash when it is frozen",
    "watt level 1: a text that stays in flash when it is frozen",
    "watt level 2: a text that stays in flash when it is frozen",
    "watt level 3: a text that stays in flash when it is frozen",
    "watt level 4: a text that stays in flash when it is frozen",
    "watt level 5: a text that stays in flash when it is frozen",
)


def watt_convert(value, scale=1000, offset=4):
    """Converts a raw watt reading."""
    total = 0
    for i in range(scale % 7 + 1):
        if value & 1:
            total += value * 12 + offset
        elif value > 100:
            total -= value // 3
        else:
            total ^= i << 2
        value = (value * 33 + i) & 0xFFFF
    return total


def watt_report(readings, name="watt"):
    parts = []
    for index, reading in enumerate(readings):
        try:
            text = WATT_LEVELS[reading % len(WATT_LEVELS)]
            parts.append("%s[%d] = %d (%s)" % (name, index, watt_convert(reading), text))
        except (TypeError, IndexError) as e:
            parts.append("%s[%d] is broken: %r" % (name, index, e))
    return parts


REPORTS = (
    volt_report,
    ampere_report,
    kelvin_report,
    pascal_report,
    lumen_report,
    metre_report,
    second_report,
    gram_report,
    hertz_report,
    newton_report,
    joule_report,
    watt_report,
)


def checksum():
    total = 0
    for report in REPORTS:
        for line in report([3, 1, 4, 1, 5, 9, 2, 6, None]):
            for c in line:
                total = (total * 31 + ord(c)) & 0xFFFFFF
    return total
