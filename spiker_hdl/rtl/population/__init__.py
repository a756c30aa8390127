"""The core of a population, from the events that it takes to the spikes that it sends."""
