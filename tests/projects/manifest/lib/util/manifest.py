metadata(version="1.2.3", description="Helpers")
module("util.py")
