"""A backend tried out without a server: `label-studio-ml test` and `label_studio_ml.testing` are made of this.

`configs` finds a labeling config, `samples` and `media` make tasks for it, `stage` plays Label Studio,
`checks` goes through everything Label Studio will do, `report` says what came out. Runs in the calling process.
"""
