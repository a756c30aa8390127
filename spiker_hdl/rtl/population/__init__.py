"""The core of a population, from the events that it accepts to the spikes that it emits."""
