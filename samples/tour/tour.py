# Runs every part of the tour; each prints what it found. Frozen or as files, the output is the same.
import arguments
import closures
import constants
import errors
import generators
import shapes
import tables
import tasks

print("tour: shapes", shapes.describe())
closures.run()
generators.run()
arguments.run()
constants.run()
errors.run()
tasks.run()
print("tour: tables", tables.checksum())
print("tour: done")
