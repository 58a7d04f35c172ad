"""A Label Studio that is played, and made-up work for it: what `checks`, `doctor` and authors' own tests share.

`api` answers the calls that models make, `samples` makes tasks, annotations and clicks for a labeling config, with
a table for each kind of tag in `objects` and `controls`, and `sample_files` makes their media.
"""
