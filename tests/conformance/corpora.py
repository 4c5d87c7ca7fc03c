"""Files to compile: CPython's standard library, MicroPython's own as Debian ships it, packages of
PyPI. A corpus is a list of (name, bytes)."""
import os
import subprocess
import sysconfig

from oracle import pip_download, unpack

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = ["requests", "flask", "click", "jinja2", "attrs", "rich", "pyserial", "sympy", "networkx",
            "adafruit-circuitpython-bus-device", "pyyaml", "mpmath", "django", "bottle",
            "micropython-lib", "numpy", "black", "mypy", "ansible-core", "pylint", "sqlalchemy",
            "twisted"]
MOST_BYTES = 400_000


def read_tree(root, prefix):
    files = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if name.endswith(".py") and not os.path.islink(path) and \
                    os.path.getsize(path) < MOST_BYTES:
                with open(path, "rb") as f:
                    files.append((prefix + os.path.relpath(path, root), f.read()))
    return sorted(files)


def stdlib(_cache):
    root = sysconfig.get_paths()["stdlib"]
    return [f for f in read_tree(root, "stdlib/") if "site-packages" not in f[0]
            and "dist-packages" not in f[0]]


def debian(cache):
    for suite in ("trixie", "forky", "sid"):
        folder = os.path.join(cache, "debian-" + suite)
        done = subprocess.run([os.path.join(HERE, "debian_source.sh"), suite, folder],
                              capture_output=True, text=True)
        if done.returncode == 0:
            return read_tree(os.path.join(folder, "tree"), "micropython/")
    print("skipped:", done.stderr.strip().splitlines()[-1])
    return []


def pypi(cache):
    files = []
    for package in PACKAGES:
        folder = os.path.join(cache, "pypi", package)
        tree = os.path.join(folder, "tree")
        if not os.path.exists(tree):
            pip_download(folder, package, "--only-binary=:all:")
            for wheel in os.listdir(folder) if os.path.exists(folder) else []:
                if wheel.endswith(".whl"):
                    unpack(os.path.join(folder, wheel), tree, lambda n: n.endswith(".py"))
        if os.path.exists(tree):
            files += read_tree(tree, f"pypi/{package}/")
    return files
