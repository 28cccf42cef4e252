"""The options of a run with types: a run stores them as texts."""

import re

INTEGER = re.compile(r"[+-]?\d+")
REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan")
TEXTS = {"data", "run", "ensemble", "options_file", "class_weight"}  # stay texts, also if they look like numbers


def typed(name, value):
    """An option as bool, int, float or str."""
    if name in TEXTS:
        return value
    if value in ("true", "false"):
        return value == "true"
    if INTEGER.fullmatch(value):
        return int(value)
    return float(value) if REAL.fullmatch(value) else value


def typed_options(options):
    """A dictionary of options as texts, with typed values."""
    return {name: typed(name, value) for name, value in options.items()}
