# other/x10.py
