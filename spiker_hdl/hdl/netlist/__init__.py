"""What a module of RTLIL computes, before it is written in any language."""
