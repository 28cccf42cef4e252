#!/usr/bin/env python3
"""A figure from the results of poise-bench: poise.figures.bench."""

from poise_package import start

start("bench")
