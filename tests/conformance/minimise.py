"""Makes a difference small: removes lines, then tokens, as long as the difference stays."""
import re


def remove_chunks(parts, differs, budget):
    size = max(1, len(parts) // 2)
    while size:
        at = 0
        while at < len(parts) and budget[0] > 0:
            tried = parts[:at] + parts[at + size:]
            budget[0] -= 1
            if differs(b"".join(tried)):
                parts = tried
            else:
                at += size
        size = size // 2
    return parts


def minimise(source, differs, budget=400):
    left = [budget]
    lines = remove_chunks(re.findall(rb"[^\n]*\n|[^\n]+", source), differs, left)
    text = b"".join(lines)
    if len(text) < 2000:
        tokens = remove_chunks(re.findall(rb"\w+|\s+|[^\w\s]", text), differs, left)
        text = b"".join(tokens)
    return text
