a = t"", t"plain", t"{b}", t"x{b!r:>{c}}y{d=}", rt"\d{e}", t'''{f}
g''' t"{h}"
i = t"{{}}", t"{f'{j}'}", t'{"k"}'
