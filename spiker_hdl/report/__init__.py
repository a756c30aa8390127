"""What an accelerator costs: area, timing and pictures."""
