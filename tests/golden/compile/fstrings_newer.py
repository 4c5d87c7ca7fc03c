a = f"{b!r}", f"{b!s:>10}", f"{b != c}", rf"\d{b}", f"a{b}" f"c{d}", f"{f'{a}'}"
