"""Encoders as hardware: values into spikes."""
