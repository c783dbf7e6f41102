"""Check a COCO set, repair what can be repaired, drop what cannot, and account for every record."""

from nbhelpers.data.validate.chain import DECODES, Validation, validate
from nbhelpers.data.validate.report import REPORT_FILE, Counts, Item, Report

__all__ = ["DECODES", "REPORT_FILE", "Counts", "Item", "Report", "Validation", "validate"]
