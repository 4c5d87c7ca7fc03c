# app/sub/__init__.py
