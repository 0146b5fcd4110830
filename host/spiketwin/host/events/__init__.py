"""Events of sensors and recordings: read from files, turned into ticks of axons, and written.

`read` knows what a file is by its content. What it returns are `Events`, in microseconds, of which
`to_ticks` makes rows of (tick, axon), which `Core.run` takes. `of_spikes` makes events of the
spikes of a run, which `write` writes, and `to_neo` and `from_neo` exchange with Neo. docs/events.md
has examples.
"""

from spiketwin.host.events.neo_blocks import from_neo, to_neo
from spiketwin.host.events.reading import read
from spiketwin.host.events.ticks import Ticks, of_spikes, to_ticks
from spiketwin.host.events.value import Events
from spiketwin.host.events.writing import write

__all__ = ["Events", "Ticks", "from_neo", "of_spikes", "read", "to_neo", "to_ticks", "write"]
