"""A run in words, for a terminal: `python -m poise show DIR`."""

import math

from .errors import Error

LAST = ("step", "t", "loss", "loss_excess", "bound", "validation_loss", "test_loss", "train_accuracy",
        "validation_accuracy", "test_accuracy")


def attempts_text(run):
    """A line for every start of the run. What says that it runs and is not the last was killed."""
    count = len(run.attempts)
    lines = [f"{run.name}: {count} attempt{'' if count == 1 else 's'}",
             "  #  started               state    steps               ranks  nodes  checkpoints  reason"]
    for number, attempt in enumerate(run.attempts, 1):
        killed = attempt.get("state") == "running" and number < count
        steps = f"{attempt.get('first_step', '?')} to {attempt.get('last_step', '?')}"
        job = f"SLURM job {attempt['slurm_job_id']}; " if "slurm_job_id" in attempt else ""
        lines.append(f"{number:>3}  {attempt.get('started', '?'):<20}  "
                     f"{'killed' if killed else attempt.get('state', '?'):<7}  {steps:<18}  "
                     f"{attempt.get('ranks', '?'):>5}  {attempt.get('nodes', '?'):>5}  "
                     f"{attempt.get('checkpoints', '0'):>11}  {job}{attempt.get('reason', '')}")
    return "\n".join(lines)


def checkpoint_line(checkpoint):
    try:
        checkpoint.verify()
    except Error as error:
        return f"  step {checkpoint.step}: damaged: {error}"
    shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in checkpoint.parameters.items())
    return f"  step {checkpoint.step}, t = {checkpoint.state['t']:.6g}: {shapes}"


def run_text(run):
    """What was trained, the last row of the history, the attempts, the checkpoints (all verified), the verdict."""
    last = {name: run.history[name][-1] for name in LAST if name in run.history and run.history.rows}
    numbers = ", ".join(f"{name} {value:.6g}" for name, value in last.items() if not math.isnan(value))
    return "\n".join([
        f"{run.directory}: {run.attributes.get('network', run.config.get('model'))}",
        f"data: {run.config.get('data')}, loss: {run.config.get('loss')}, dynamics: {run.config.get('dynamics')}",
        f"history: {run.history.rows} rows; the last: {numbers or 'nothing has been recorded yet'}",
        attempts_text(run),
        f"checkpoints: {len(run.checkpoints)}",
        *map(checkpoint_line, run.checkpoints),
        f"verdict: {run.verdict or 'none, because the last attempt has not ended'}"])
