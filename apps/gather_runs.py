#!/usr/bin/env python3
"""One table and one figure of all runs of a sweep: poise.figures.gather."""

from poise_package import start

start("gather")
