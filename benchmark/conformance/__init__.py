"""Checks of the generator contract that say what is wrong, why it matters and how to fix it."""

from gexbench.benchmark.conformance.check import Check, Finding, checked
from gexbench.benchmark.conformance.subject import Subject, check_fold
from gexbench.benchmark.conformance.suite import CHECKS

__all__ = ["CHECKS", "Check", "Finding", "Subject", "check_fold", "checked"]
