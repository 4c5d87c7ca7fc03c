# Takes the place of the module of this name that the stock firmware has frozen.
print("uasyncio: the replacement is imported")
replaced = True
