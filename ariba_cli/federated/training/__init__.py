"""Local training: the training of one participant in a round, and of many together.

`task.py` says what is trained, `single.py` trains one, `vectorised.py` many at once and
`workers.py` many beside each other, with a step of one of the `optimizers.py`; `engine.py`
chooses.
"""

from ariba_cli.federated.training.engine import Engine, Method
from ariba_cli.federated.training.single import train_alone
from ariba_cli.federated.training.task import LocalTraining, Objective, StepHook, Task

__all__ = ["Engine", "LocalTraining", "Method", "Objective", "StepHook", "Task", "train_alone"]
