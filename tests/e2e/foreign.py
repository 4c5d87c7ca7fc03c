"""What other people's tools write is read as they meant it: intelhex, uf2utils and esptool's elf2image make
images of random bytes, and `mpy-freeze convert` must find the same bytes at the same addresses.

    tests/e2e/foreign.py FOLDER
"""
import os
import random
import struct
import subprocess
import sys

import intelhex
from uf2utils.file import UF2File

FLASH = 0x10000000


def convert(folder, name, to, *more):
    out = os.path.join(folder, "ours." + to)
    subprocess.run(["mpy-freeze", "convert", os.path.join(folder, name), "--type", to, "-o", out, *more], check=True)
    return out


def same(what, got, expected):
    assert got == expected, f"{what}: {len(got)} bytes are read, {len(expected)} were written, or they differ"


def check_hex(folder, data, per_line):
    h = intelhex.IntelHex()
    h.frombytes(data, offset=FLASH - 1000)  # over the end of an extended address
    h.start_addr = {"EIP": FLASH}
    h.write_hex_file(os.path.join(folder, "theirs.hex"), byte_count=per_line)
    with open(convert(folder, "theirs.hex", "bin"), "rb") as f:
        same(f"HEX of {per_line} bytes a line", f.read(), data)


def check_uf2(folder, data):
    u = UF2File()
    u.append_payload(data, FLASH)
    u.to_file(os.path.join(folder, "theirs.uf2"))
    with open(convert(folder, "theirs.uf2", "bin"), "rb") as f:
        same("UF2", f.read(), data)


def elf(sections):
    """An ELF file for RISC-V of sections (name, address, bytes, flags)."""
    names, at = b"\0", 52 + 32 * len(sections)
    headers, program, content = bytes(40), b"", b""
    for name, address, data, flags in sections:
        headers += struct.pack("<10I", len(names), 1, flags, address, at, len(data), 0, 0, 4, 0)
        program += struct.pack("<8I", 1, at, address, address, len(data), len(data), 5, 4)
        names, content, at = names + name + b"\0", content + data, at + len(data)
    headers += struct.pack("<10I", len(names), 3, 0, 0, at, len(names) + 10, 0, 0, 1, 0)
    names += b".shstrtab\0"
    ident = b"\x7fELF" + bytes([1, 1, 1]) + bytes(9)
    first = struct.pack("<HHIIIIIHHHHHH", 2, 243, 1, sections[-1][1], 52, at + len(names), 0, 52, 32,
                        len(sections), 40, len(sections) + 2, len(sections) + 1)
    return ident + first + program + content + names + headers


def check_esp(folder, rand):
    sections = [(b".flash.rodata", 0x3C000020, rand.randbytes(3000), 2),
                (b".dram0.data", 0x3FC80000, rand.randbytes(400), 3),
                (b".flash.text", 0x42010020, rand.randbytes(5000), 6)]
    with open(os.path.join(folder, "theirs.elf"), "wb") as f:
        f.write(elf(sections))
    made = subprocess.run([sys.executable, "-m", "esptool", "--chip", "esp32c3", "elf2image", "-o", "theirs.esp",
                           "theirs.elf"], cwd=folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    h = intelhex.IntelHex(convert(folder, "theirs.esp", "ihex"))
    for name, address, data, _ in sections:
        same(name.decode(), h.tobinstr(start=address, size=len(data)), data)


def main():
    folder, rand = sys.argv[1], random.Random(1)
    data = rand.randbytes(20 * 256)
    for per_line in (1, 16, 32, 255):
        check_hex(folder, data, per_line)
    check_uf2(folder, data)
    check_esp(folder, rand)


if __name__ == "__main__":
    main()
