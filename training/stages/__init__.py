"""The stages of a pipeline: which there are, what each is made of, and how one is made.

`chains` says which recipes a paper takes from tags to a segmenter, `ingredients` what goes into a
stage, `verdicts` which are done already, `making` runs one as a child process.
"""
