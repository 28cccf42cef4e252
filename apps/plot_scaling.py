#!/usr/bin/env python3
"""A table and a figure from the results of jobs/scaling.sbatch: poise.figures.scaling."""

from poise_package import start

start("scaling")
