# other/x2.py
