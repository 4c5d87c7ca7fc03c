# For test scripts: stock firmware of the tests, kept under build/firmware. Sourced, from the top.
# Each prints a path, or fails with a reason on stderr (then the test is skipped with exit code 77).

stock_firmware() { # the amd64 binary of Debian trixie
    tests/lib/debian.sh trixie amd64 build/firmware/debian-trixie-amd64 >&2 || return 77
    echo build/firmware/debian-trixie-amd64/root/usr/bin/micropython
}

hub_firmware() { # hub_firmware HUB [VERSION]
    local version=${2:-7.28.0}
    tests/lib/pybricks.sh "$version" "build/firmware/pybricks-$version" >&2 || return 77
    echo "build/firmware/pybricks-$version/$1/firmware-base.bin"
}
