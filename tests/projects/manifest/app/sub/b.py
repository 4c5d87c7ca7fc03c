# app/sub/b.py
