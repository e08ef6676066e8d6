"""Reading and writing files: instances, solutions, their schemas."""

from chainopt.files.instance import canonical_form, digest, instance_text, read_instance, write_instance
from chainopt.files.solution import read_solution, solution_text, write_solution

__all__ = [
    "canonical_form",
    "digest",
    "instance_text",
    "read_instance",
    "read_solution",
    "solution_text",
    "write_instance",
    "write_solution",
]
