metadata(version='0.9"x', author="A")
options.defaults(tls=False, level=2)
require("util")
module("http.py", opt=options.level)
if options.tls:
    package("http_pkg")
