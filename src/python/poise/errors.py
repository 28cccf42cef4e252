"""The exceptions of this package."""


class Error(Exception):
    """Bad input: a file or an array that cannot be used. The message names it, the cause and the cure."""


class ConvergenceError(Error):
    """An equilibrium was not found. `residuals` [samples] are the relative residuals of all samples."""

    def __init__(self, message, residuals):
        super().__init__(message)
        self.residuals = residuals
