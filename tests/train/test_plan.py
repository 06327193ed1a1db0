"""A plan is a pure function of seed and step, shows every row, and wastes little on padding."""

from collections import Counter

import numpy as np
import pytest

from tuwen.train.plan import Plan


def plan(lengths, *, batch=8, captions="one", seed=0):
    return Plan(lengths, batch=batch, captions=captions, seed=seed)


def equal(rows, captions=1):
    return [[10] * captions for _ in range(rows)]


def test_it_is_a_pure_function_of_seed_and_step():
    lengths = [[n % 7 + 1, n % 5 + 1] for n in range(50)]
    one, other = plan(lengths), plan(lengths)
    forwards = [one.items(step) for step in range(20)]
    assert [other.items(step) for step in reversed(range(20))] == forwards[::-1]
    assert [plan(lengths, seed=1).items(step) for step in range(20)] != forwards
    assert forwards[:6] != forwards[6:12]  # another order in the second epoch


@pytest.mark.parametrize("rows", [16, 64, 200])
def test_every_row_comes_once_an_epoch(rows):
    made = plan([[n % 13 + 1] for n in range(rows)])
    assert made.steps_per_epoch == rows // 8
    for epoch in range(3):
        steps = range(epoch * made.steps_per_epoch, (epoch + 1) * made.steps_per_epoch)
        seen = [row for step in steps for row, _ in made.items(step)]
        assert sorted(seen) == list(range(rows))
        assert seen != sorted(seen)


def test_rows_that_fill_no_batch_are_left_out_in_turn():
    made = plan(equal(19))
    left_out = set()
    for epoch in range(40):
        seen = [row for step in (2 * epoch, 2 * epoch + 1) for row, _ in made.items(step)]
        assert len(seen) == len(set(seen)) == 16
        left_out |= set(range(19)) - set(seen)
    assert left_out == set(range(19))


def test_each_caption_of_a_row_comes_once_in_as_many_epochs():
    made = plan(equal(16, captions=5))
    for start in (0, 3):
        steps = range(start * 2, (start + 5) * 2)
        seen = Counter(item for step in steps for item in made.items(step))
        assert seen == {(row, caption): 1 for row in range(16) for caption in range(5)}
    assert len({caption for _, caption in made.items(0) + made.items(1)}) > 1  # rows do not go in step


def test_all_captions_and_rows_without_one_have_no_number():
    assert {caption for _, caption in plan(equal(8, captions=5), captions="all").items(0)} == {-1}
    lengths = [[3], []] * 4
    assert {(row % 2, caption) for row, caption in plan(lengths).items(0)} == {(0, 0), (1, -1)}


@pytest.mark.parametrize("captions", ["one", "all"])
def test_bucketing_wastes_less_than_half_of_what_random_order_does(captions):
    rng = np.random.default_rng(0)
    lengths = [[int(n)] for n in rng.integers(5, 100, 640)]

    def padding(batches):
        return sum(sum(max(b) - n for n in b) for b in ([lengths[row][0] for row, _ in items] for items in batches))

    made = plan(lengths, captions=captions)
    bucketed = padding(made.items(step) for step in range(made.steps_per_epoch))
    order = rng.permutation(640)
    random = padding([[(int(row), 0) for row in order[i : i + 8]] for i in range(0, 640, 8)])
    assert bucketed < 0.5 * random


def test_the_longest_batches_are_not_all_at_one_end():
    """Sorted pools would be a curriculum; the order of the batches is shuffled."""
    made = plan([[n] for n in range(1, 129)])
    mean = [np.mean([row for row, _ in made.items(step)]) for step in range(16)]
    assert mean != sorted(mean)


def test_fewer_rows_than_a_batch_are_one_batch():
    made = plan(equal(3), batch=8)
    assert (made.batch, made.steps_per_epoch) == (3, 1)
    assert all(sorted(row for row, _ in made.items(step)) == [0, 1, 2] for step in range(5))


def test_detailed_goes_through_the_captions_and_buckets_by_the_longest():
    lengths = [[5, 40, 9]] * 8 + [[6, 7, 8]] * 8
    made = plan(lengths, captions="detailed")
    assert {caption for step in range(6) for _, caption in made.items(step)} == {0, 1, 2}
    assert {len({row < 8 for row, _ in made.items(step)}) for step in range(2)} == {1}


@pytest.fixture
def soon(monkeypatch):
    """Whole texts for 16 rows, two epochs, alone."""
    monkeypatch.setattr("tuwen.train.plan.WHOLE", 16)


def test_the_longest_comes_first_alone_then_in_three_epochs_of_four_and_all_between_them(soon):
    made = plan([[5, 40, 9]] * 8, captions="longest_first", batch=8)
    seen = [made.items(step) for step in range(26)]
    assert all(caption == 1 for items in seen[:2] for _, caption in items)
    longest = [sum(caption == 1 for _, caption in items) for items in seen[2:]]
    assert all(sum(longest[i : i + 4]) >= 24 for i in range(21)), "each row three times in any four epochs"
    others = [caption for items in seen[2:] for _, caption in items if caption != 1]
    assert sorted(set(others)) == [0, 2] and len(others) == 8 * 24 // 4 * 2 // 3


def test_some_captions_say_less_later_the_same_ones_every_time(soon):
    made = plan(equal(8), captions="longest_first", batch=8)
    assert made.lost(0) == made.lost(1) == [] and plan(equal(8), batch=8).lost(50) == []
    lost = [one for step in range(2, 400) for one in made.lost(step)]
    share = np.array([share for share, _ in lost])
    assert len(lost) == 398 * 8 and np.mean(share > 0) == pytest.approx(0.5, abs=0.04) and share.max() < 0.75
    assert len({seed for _, seed in lost}) > 3000 and plan(equal(8), captions="longest_first").lost(9) == made.lost(9)


def test_rows_are_sorted_by_length_only_within_a_pool():
    lengths = [[1]] * 32 + [[9]] * 32
    apart = Plan(lengths, batch=8, captions="one", seed=0)
    mixed = Plan(lengths, batch=8, captions="one", seed=0, pool=1)

    def kinds(made):
        return [len({lengths[row][0] for row, _ in made.items(step)}) for step in range(8)]

    assert sum(kinds(apart)) <= 9 and sum(kinds(mixed)) == 16


def test_views_are_a_pure_function_of_seed_and_step_and_equally_frequent():
    def views(seed=0, num=3):
        made = Plan(equal(40), batch=8, captions="one", seed=seed, views=num)
        return [made.views(step) for step in range(300)]

    assert views() == views() != views(seed=1)
    assert {view for step in views(num=1) for view in step} == {0}
    counts = Counter(view for step in views() for view in step)
    assert counts.keys() == {0, 1, 2}
    assert all(700 < count < 900 for count in counts.values())  # 800 each by chance; 4.3 standard deviations
    assert len({tuple(step) for step in views()[:20]}) == 20
