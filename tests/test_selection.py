"""Rules that choose paintings, on points of the plane where the answer is seen at a glance."""

import numpy as np

from datasets import selection

LINE = np.array([[0.0], [1.0], [2.0], [3.5], [10.0]])
"""Sums of distances to the others: 16.5, 13.5, 12.5, 14, 33.5; so the medoid is the third."""


def test_nearest_is_the_medoid_and_its_neighbours() -> None:
    assert selection.nearest_places(LINE, 3) == [2, 1, 3]


def test_diverse_goes_to_the_farthest() -> None:
    """From 2: to 10 (8 away), then 0 (2 away), then 3.5 (1.5 away)."""
    assert selection.diverse_places(LINE, 4) == [2, 4, 0, 3]


def test_clusters_are_the_groups_that_there_are() -> None:
    """Two groups far apart: {0, 1, 2, 3.5} with centre 1.625, and {10}."""
    assert selection.cluster_places(LINE, 2, 3, seed=0) == [[2, 1, 0], [4]]


def test_random_follows_the_seed_and_repeats_nothing() -> None:
    draws = [selection.random_places(50, 10, [seed]) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    for draw in draws:
        assert draw == sorted(set(draw))
        assert len(draw) == 10


def test_equal_paintings_are_no_trouble() -> None:
    same = np.ones((4, 3))
    assert selection.nearest_places(same, 2) == [0, 1]
    assert selection.diverse_places(same, 3) == [0, 1, 2]


def test_top_is_by_probability_and_its_nearest_by_distance() -> None:
    """Surest is the fourth, at 3.5: the others are 1.5, 2.5, 3.5 and 6.5 away."""
    sure = np.array([0.5, 0.1, 0.8, 0.9, 0.7])
    assert selection.top_places(sure, 3) == [3, 2, 4]
    assert selection.top_nearest_places(sure, LINE, 5) == [3, 2, 1, 0, 4]
    assert selection.top_nearest_places(sure, np.zeros((5, 1)), 2) == [3, 0]
