"""Kubernetes quantities, which the service reads as well."""

from xylem.domain.quantities import in_units, parse_quantity

__all__ = ["in_units", "parse_quantity"]
