# app/zeta.py
