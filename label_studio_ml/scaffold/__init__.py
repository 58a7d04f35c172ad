"""New backend folders: `scan` finds the model class in a script, `write` makes the folder from `files/`.

Runs in the CLI. Never imports the author's code.
"""
