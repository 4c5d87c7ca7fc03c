# app/sub/deep/c.py
