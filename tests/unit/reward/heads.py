"""A head that knows how sure it is, for tests that need no true one."""

from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from services.reward.familiarity import Familiarity
from services.reward.posterior import Posterior
from services.reward.specs import WEIGHTS
from services.reward.training.head import Head, write_head


def save_knowing_head(folder: Path, limit: float = 1.0) -> str:
    """The shipped weights with a posterior and a familiarity drawn at random, whose limits are `limit`; its file."""
    shipped = load_file(WEIGHTS / "quality.safetensors")
    weight = shipped["w"].double().numpy()
    size, draws = len(weight), np.random.default_rng(0)
    mean, factor = draws.normal(size=size), np.tril(draws.normal(size=(size, size)) / 99) + np.eye(size)
    posterior = Posterior(mean, draws.uniform(0.5, 1, size), factor)
    familiarity = Familiarity(mean, np.eye(size)[:, :8], np.ones(8), np.array([40.0]), np.full((1, 2), limit))
    file = folder / f"knowing-{limit:g}.safetensors"
    write_head(file, Head(weight, float(shipped["bias"]), posterior, familiarity), {})
    return str(file)
