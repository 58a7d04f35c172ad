"""A backend tried out without a server: `label-studio-ml test`, and `check_backend` for authors' own tests.

`run` goes through everything Label Studio will do, `predicting` and `learning` hold the checks, `under_test` is the
backend meanwhile and `watched` notes what the author's code does. `configs` finds a labeling config, `fixes` says
what to do, `report` what came out. Runs in the calling process.
"""
