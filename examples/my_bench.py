"""A testbench to start from: ``spiketwin testbench examples/my_bench.py``.

Each test begins at power-up. `tick` runs one tick on the RTL and on the executable specification,
and compares every spike, state variable, weight and cycle of the two.
"""

from spiketwin.cosim.testbenches.core_driver import CoreDriver
from spiketwin.cosim.testbenches.declare import Benches

bench = Benches(CoreDriver)


@bench
async def a_strong_synapse_fires_its_neuron(core: CoreDriver) -> None:
    """One spike of axon 0 fires neuron 3, and no other."""
    await core.fill("threshold", 100)
    await core.write_synapse(source=0, neuron=3, weight=120)
    result = await core.tick([0])
    core.scoreboard.check_vector("spikes", result.spikes, [3])


@bench
async def weak_synapses_add_up(core: CoreDriver) -> None:
    """Two axons together fire what neither fires alone."""
    await core.fill("threshold", 100)
    await core.write_registers(v_decay=0xFFFF, i_syn_decay=0xFFFF)  # nothing is kept for later
    for axon in (0, 1):
        await core.write_synapse(source=axon, neuron=3, weight=60)
    for axons, spikes in (([0], []), ([1], []), ([0, 1], [3])):
        result = await core.tick(axons)
        core.scoreboard.check_vector("spikes", result.spikes, spikes)


@bench
async def random_ticks(core: CoreDriver) -> None:
    """Random weights and spikes; --seed repeats them."""
    await core.fill("threshold", 200)
    for source in range(core.params.n_sources):
        for neuron in range(core.params.n_neurons):
            await core.write_synapse(source, neuron, core.rng.randint(-20, 60))
    for _ in range(20):
        await core.tick(axon for axon in range(core.params.n_axons) if core.rng.random() < 0.3)
