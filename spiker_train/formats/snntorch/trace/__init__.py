"""Which spikes reach which neurons of a module, followed through its own forward."""
