"""The handshakes of the accelerator's components, for many machines in lockstep.

Each class computes in NumPy what the component of the same file name under ``spiker_hdl/rtl`` does
with its handshakes in one clock cycle. What flows is known beforehand, so that a stream is a
:class:`~..traces.Trace` and its readers keep their places in it: no weight is read. Arrays have the
shape (..., machines).

Most cycles of a folded mapping only count: in them nothing advances but the fold of an event, the
interval after a step, or the group of neurons whose word is empty. ``changed`` tells where the last
cycle changed more than such a counter, and ``horizon`` how many more cycles only count; those are
skipped together.
"""
