#!/usr/bin/env python3
"""Runs mp_find_frozen_module, as it stands in a raw Thumb product, on every frozen name.

    lookup.py PRODUCT

Needs unicorn. The function is the one, of those that load the address of the names, that gives the
right answers; wrong answers of all of them fail.
"""
import json
import struct
import subprocess
import sys

from unicorn import Uc, UcError, UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB
from unicorn import arm_const as reg

RAM, TYPE, DATA, NAME, STACK, BACK = 0x20000000, 0x20002000, 0x20002004, 0x20001000, 0x20008000, 0x2000F000
FILE, MPY = 2, 2


def tell(command, product):
    return json.loads(subprocess.run(["mpy-freeze", command, product, "--json"], check=True, capture_output=True).stdout)


def functions(data, base, address):
    """Starts of functions that hold the address in their literal pool, or are known to be replaced."""
    word = struct.pack("<I", address)
    for at in range(0, len(data) - 3, 4):
        if data[at:at + 4] != word:
            continue
        begin = at
        while begin > 2:
            begin -= 2
            code, = struct.unpack_from("<H", data, begin)
            if code & 0xFF00 == 0xB500 or code == 0xE92D:
                yield base + begin
                break
            if code == 0x4718:  # bx r3: the jump of a veneer stands two bytes behind the entry
                yield base + begin - 2


def call(data, base, function, name):
    emulator = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    low = base & ~0xFFF
    emulator.mem_map(low, (base + len(data) - low + 0xFFF) & ~0xFFF)
    emulator.mem_write(base, data)
    emulator.mem_map(RAM, 0x10000)
    emulator.mem_write(NAME, name.encode() + b"\0")
    for register, value in ((reg.UC_ARM_REG_R0, NAME), (reg.UC_ARM_REG_R1, TYPE), (reg.UC_ARM_REG_R2, DATA),
                            (reg.UC_ARM_REG_SP, STACK), (reg.UC_ARM_REG_LR, BACK | 1)):
        emulator.reg_write(register, value)
    emulator.emu_start(function | 1, BACK, count=1000000)
    kind, found = struct.unpack("<II", emulator.mem_read(TYPE, 8))
    return emulator.reg_read(reg.UC_ARM_REG_R0), kind, found


def answers_right(data, base, function, modules):
    try:
        for module in modules:
            if call(data, base, function, module["name"]) != (FILE, MPY, int(module["address"], 16)):
                return False
        absent = ["", "nothere.py", modules[-1]["name"][:-1], modules[0]["name"] + "x"]
        folders = {m["name"].split("/")[0] for m in modules if "/" in m["name"]}
        return (all(call(data, base, function, name)[0] == 0 for name in absent)
                and all(call(data, base, function, name)[0] == 1 for name in folders))
    except UcError:
        return False


def main():
    product = sys.argv[1]
    info = tell("info", product)
    modules = [m for m in tell("list", product)["modules"] if m["kind"] == "mpy"]
    data = open(product, "rb").read()
    base = int(info["container"]["segments"][0]["address"], 16)
    candidates = list(functions(data, base, int(info["micropython"]["frozen"]["names"], 16)))
    if not any(answers_right(data, base, f, modules) for f in candidates):
        sys.exit(f"{product}: none of {[hex(f) for f in candidates]} finds the {len(modules)} modules")


main()
