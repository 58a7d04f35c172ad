"""Why predictions do not appear, or would not: `label-studio-ml doctor`.

`examine` is the entry. `backend` plays Label Studio before a running backend: `health`, `sign_in`, `setup`,
`own_report`, `predictions`, `events`. `access` gets into the real Label Studio; `project`, `connection`, `address`,
`webhook` and `reachable_media` ask it how the backend is connected. `played_project` is what the first is told.
"""
