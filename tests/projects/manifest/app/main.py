# app/main.py
