"""Work that is spread over processes of this computer, or over a cluster, and what is kept of it.

A *work* is a function of a *task*, which gives an *answer*; all three can be pickled. Who does it
is a *crew*: this process alone, processes of this computer, or the workers of a Dask cluster. A
task whose process dies is given out again, and given up after a few deaths.
"""
