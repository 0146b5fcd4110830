"""The specification: integers, tables and dataclasses from which everything else is built.

Nothing here imports amaranth, numba or serial, so a host on a small computer can use it.

==============  =====================================================================
module          contents
==============  =====================================================================
`params`        the sizes of one core (`CoreParams`) and the reference sizes
`arithmetic`    every rounding, saturation and noise rule, on plain integers
`registers`     the register map, the memory spaces and the counters
`protocol`      frames, opcodes, refusals, identity, and the words of the output stream
`schedule`      the number of cycles of a tick
`oracle`        one tick, plain and slow, with which every implementation is compared
==============  =====================================================================
"""
