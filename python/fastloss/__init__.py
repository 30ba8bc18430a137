# SPDX-License-Identifier: BSD-3-Clause
"""Loss and gradient kernels for training on CPUs: fast, exact, one answer.

Every loss is a function that carries its derivatives: `huber(...)`, `huber.grad(...)`,
`huber.value_and_grad(...)`, `huber.grad_and_hess(...)`, `huber.value_grad_and_hess(...)`.
`losses` holds them all by name.
"""

from fastloss import config as _config
from fastloss import threading as _threading
from fastloss._core import version as __version__
from fastloss.config import numerics_version, set_isa, show_config
from fastloss.losses import losses
from fastloss.targets import check_target
from fastloss.threading import get_num_threads, set_num_threads, threads

globals().update(losses)
_config.read_environment()
_threading.read_environment()

__all__ = [
    "__version__",
    "check_target",
    "get_num_threads",
    "losses",
    "numerics_version",
    "set_isa",
    "set_num_threads",
    "show_config",
    "threads",
]
__all__ += list(losses)
