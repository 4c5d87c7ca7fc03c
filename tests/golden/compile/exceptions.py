def f():
    try: a()
    except: b()
    try: a()
    except X: b()
    except (Y, Z) as e: c(e); return e
    else: d()
    finally: g()
    try:
        try: return 1
        finally: h()
    except X as e:
        raise
    for i in j:
        try:
            if k: continue
            if l: break
            return m
        except N as n:
            if o: break
            continue
        finally:
            p()
    with q: r()
    with s as t, u(v) as (w, x), y as z.a: b()
    for c in d:
        with e:
            if g: break
            with h as i:
                return i
    while 1:
        try: pass
        finally:
            break
    try:
        return 5
    finally:
        with a, b, c:
            d(1, 2, 3, *e)
