import numpy as np

from services.reward.posterior import Posterior

SIZE = 4


def test_a_deviation_is_the_root_of_the_quadratic_form() -> None:
    draws = np.random.default_rng(0)
    root, scale, mean = draws.normal(size=(SIZE, SIZE)), draws.uniform(0.5, 2, SIZE), draws.normal(size=SIZE)
    hessian = root @ root.T + np.eye(SIZE)
    posterior = Posterior(mean, scale, np.linalg.cholesky(hessian))
    features = draws.normal(size=(2, 3, SIZE))
    offsets = (features - mean) / scale
    expected = np.sqrt(np.einsum("...i,ij,...j->...", offsets, np.linalg.inv(hessian), offsets))
    np.testing.assert_allclose(posterior.deviations(features), expected)
    np.testing.assert_allclose(posterior.deviations(mean), 0)
    np.testing.assert_allclose(posterior.covariance, np.linalg.inv(hessian) / np.outer(scale, scale))


def test_a_file_without_it_has_none() -> None:
    posterior = Posterior(np.zeros(SIZE), np.ones(SIZE), np.eye(SIZE))
    tensors = posterior.tensors()
    assert {tensor.dtype for tensor in tensors.values()} == {np.dtype(np.float32)}
    read = Posterior.read(tensors)
    assert read is not None
    np.testing.assert_array_equal(read.hessian_factor, np.eye(SIZE))
    assert Posterior.read({name: tensors[name] for name in ("mean", "scale")}) is None
