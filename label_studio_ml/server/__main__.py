"""`python -m label_studio_ml.server`, as older packages had it."""

from . import main

main()
