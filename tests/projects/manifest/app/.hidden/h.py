# app/.hidden/h.py
