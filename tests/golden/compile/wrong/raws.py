rf'{a}'
