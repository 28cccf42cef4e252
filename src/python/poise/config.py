"""The options of a run with types."""

import re

INTEGER = re.compile(r"[+-]?\d+")
REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf|nan")
TEXTS = {"data", "run", "ensemble", "options_file", "class_weight"}  # stay texts, also if they look like numbers


def typed(name, text):
    """The text of an option as bool, int, float or str."""
    if name in TEXTS:
        return text
    if text in ("true", "false"):
        return text == "true"
    if INTEGER.fullmatch(text):
        return int(text)
    return float(text) if REAL.fullmatch(text) else text


def typed_options(stored):
    """The stored options by name, with types. Versions before 0.2 stored texts alone: there the text tells the type."""
    if any(not isinstance(value, str) for value in stored.values()):
        return dict(stored)
    return {name: typed(name, value) for name, value in stored.items()}


def text_of(value):
    """An option as the programs take it: true, 0.8, softmax_linear."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
