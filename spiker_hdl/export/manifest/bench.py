"""The test bench of an emitted directory, as its manifest describes it."""

from typing import Any

from spiker_hdl.export.samples.generated import Coverage
from spiker_hdl.export.samples.vectors import Vectors

__all__ = ["bench_json"]


def bench_json(vectors: Vectors, coverage: Coverage | None) -> dict[str, Any]:
    """Return what the test bench holds and compares, and which faults its samples detect."""
    return {
        "samples": vectors.samples,
        "user_samples": vectors.user_samples,
        "generated_samples": vectors.samples - vectors.user_samples,
        "samples_with_cycles": vectors.timed,
        "compared_fields": [
            field.name
            for key, field in vectors.fields.items()
            if field.width and (vectors.timed or key != ("cycles",))
        ],
        "files": {
            **{
                f"vectors/{port}.hex": (
                    f"Each line is one beat in hexadecimal: {width} bits of payload, with `last` "
                    "as the highest, and above these a bit that is 1 in a sample's last beat."
                )
                for port, width in vectors.widths.items()
            },
            "vectors/expected.hex": (
                f"Each line is one sample's result in hexadecimal: {vectors.width} bits, which are "
                "0 where nothing is compared."
            ),
        },
        "fault_injection": None if coverage is None else _fault_injection(coverage),
    }


def _fault_injection(coverage: Coverage) -> dict[str, Any]:
    share = coverage.detected / coverage.observable if coverage.observable else 1.0
    return {
        "injected": coverage.injected,
        "observable": coverage.observable,
        "detected": coverage.detected,
        "coverage": round(share, 4),
        "meaning": (
            "A fault is a single flipped bit of a weight, a threshold or a bias; each bit is "
            "equally likely, and one fault at a time was injected into the reference. A fault is "
            "observable if it changes the answer to any sample that was tried: to one of "
            f"{coverage.user_samples} user samples or to one of {coverage.pool} generated "
            "candidates. It is detected if it changes the answer to a sample of the test bench. "
            "The answer is everything that the test bench compares, except for cycles. The "
            "coverage is detected / observable."
        ),
    }
