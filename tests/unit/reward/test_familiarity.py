import numpy as np
import pytest

from services.reward.familiarity import FEWEST_TOKENS, Familiarity

SIZE, KEPT = 6, 3


def made(features: np.ndarray) -> Familiarity:
    mean = features.mean(axis=0)
    variances, basis = np.linalg.eigh(np.cov(features, rowvar=False))
    kept = slice(-1, -KEPT - 1, -1)
    return Familiarity(mean, basis[:, kept], variances[kept], np.array([20.0, 80.0]), np.array([[8, 4], [2, 1.0]]))


@pytest.fixture
def features() -> np.ndarray:
    draws = np.random.default_rng(1)
    return draws.normal(size=(400, SIZE)) @ draws.normal(size=(SIZE, SIZE))


def test_on_all_components_it_is_the_mahalanobis_distance(features: np.ndarray) -> None:
    mean, covariance = features.mean(axis=0), np.cov(features, rowvar=False)
    variances, basis = np.linalg.eigh(covariance)
    found = Familiarity(mean, basis, variances, np.ones(1), np.ones((1, 2))).distances(features)
    centred = features - mean
    expected = np.einsum("ij,jk,ik->i", centred, np.linalg.inv(covariance), centred)
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-9)
    np.testing.assert_allclose(found[:, 1], 0, atol=1e-18)


def test_a_turn_of_the_axes_changes_nothing(features: np.ndarray) -> None:
    turn = np.linalg.qr(np.random.default_rng(2).normal(size=(SIZE, SIZE)))[0]
    np.testing.assert_allclose(
        made(features @ turn).distances(features @ turn), made(features).distances(features), rtol=1e-9
    )


def test_limits_go_by_length_and_short_responses_are_let_pass(features: np.ndarray) -> None:
    familiarity = made(features)
    inside, rest = familiarity.distances(features[0])
    one = np.repeat(features[:1], 5, axis=0)
    found = familiarity.excess(one, np.array([FEWEST_TOKENS - 1, FEWEST_TOKENS, 40, 80, 500]))
    shares = [max(inside / bound[0], rest / bound[1]) for bound in ((8, 4), (5, 2.5), (2, 1), (2, 1))]
    np.testing.assert_allclose(found, [0, *shares])


def test_it_survives_its_file(features: np.ndarray) -> None:
    familiarity = made(features)
    tensors = familiarity.tensors()
    read = Familiarity.read(tensors)
    assert read is not None
    np.testing.assert_allclose(read.distances(features), familiarity.distances(features), rtol=1e-4)
    assert Familiarity.read({name: tensors[name] for name in tensors if name != "limits"}) is None
