# other/x1.py
