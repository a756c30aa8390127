"""A quantised network together with its report."""

from spiker_train import QuantizationReport, quantize

__all__ = ["quantize_and_report"]


def quantize_and_report(net, *settings, **options):
    """Quantise a network, and return it with the report of its quantisation."""
    report = QuantizationReport()
    return quantize(net, *settings, report=report, **options), report
