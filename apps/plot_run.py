#!/usr/bin/env python3
"""Figures from directories of poise-train, poise-sweep and poise-compare: poise.figures.run."""

from poise_package import start

start("run")
