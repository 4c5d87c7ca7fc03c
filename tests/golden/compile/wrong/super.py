def f(): super().x
