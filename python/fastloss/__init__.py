# SPDX-License-Identifier: BSD-3-Clause
"""Loss and gradient kernels for training on CPUs: fast, exact, one answer.

Every loss is a function that carries its derivatives: `huber(...)`, `huber.grad(...)`,
`huber.value_and_grad(...)`, `huber.grad_and_hess(...)`, `huber.value_grad_and_hess(...)`.
`losses` holds them all by name. `row_functions` holds what losses of rows are made of:
`log_softmax`, `softmax`, `logsumexp`, `selected_log_prob`. `penalties` holds what parameters are
kept small by, `l1`, `l2` and `elastic_net`, with gradients and proximal steps.
"""

from fastloss import config as _config
from fastloss import threading as _threading
from fastloss._core import version as __version__
from fastloss.config import numerics_version, set_isa, show_config
from fastloss.losses import losses
from fastloss.penalties import penalties
from fastloss.row_functions import row_functions
from fastloss.targets import check_target
from fastloss.threading import get_num_threads, set_num_threads, threads

globals().update(losses)
globals().update(row_functions)
globals().update(penalties)
_config.read_environment()
_threading.read_environment()

__all__ = [
    "__version__",
    "check_target",
    "get_num_threads",
    "losses",
    "numerics_version",
    "penalties",
    "row_functions",
    "set_isa",
    "set_num_threads",
    "show_config",
    "threads",
]
__all__ += list(losses)
__all__ += list(row_functions)
__all__ += list(penalties)
