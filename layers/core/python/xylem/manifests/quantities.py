"""Amounts as Kubernetes writes them."""

from fractions import Fraction

UNITS = {"Ti": 1024**4, "Gi": 1024**3, "Mi": 1024**2, "Ki": 1024}


def quantity(size: int) -> str:
    """Bytes, exactly: `8Gi`, and `1000` where no unit divides it."""
    number, unit = parts(size)
    return f"{number}{unit}"


def parts(size: int) -> tuple[int, str]:
    """The number and its unit, which bytes have none of."""
    for unit, bytes_ in UNITS.items():
        if size and size % bytes_ == 0:
            return size // bytes_, unit
    return size, ""


def in_unit(size: int, unit: str) -> float:
    return float(Fraction(size, UNITS.get(unit, 1)))
