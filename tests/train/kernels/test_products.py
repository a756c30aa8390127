"""Tests of products from lists of events: equal to dense products, of every format."""

from itertools import product as product_of

import pytest
import torch

from spiker_train.kernels import products
from spiker_train.kernels.products import Events, by_source, density, product, products_of_draws

SHAPE = (3, 14, 45)  # samples, steps, sources


def events(share, dtype, graded=False):
    generator = torch.Generator().manual_seed(1)
    there = torch.rand(SHAPE, generator=generator) < share
    values = torch.randint(1, 9 if graded else 2, SHAPE, generator=generator)
    return (there * values).to(dtype)


def integers(*shape, dtype=torch.float64):
    # Sums of integers are exact in any order, so that results can be compared bit for bit.
    generator = torch.Generator().manual_seed(2)
    return torch.randint(-50, 50, shape, generator=generator).to(dtype)


# A vector is 16 or 8 neurons, a block is 8 vectors: sizes of one tail, one block, and all of them.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("graded", [False, True])
def test_product_and_its_gradients_equal_dense_ones(dtype, graded):
    for size, kind in product_of((1, 64, 155), (torch.uint8, torch.float32, torch.float64)):
        for share in (0.0, 0.1, 0.6):  # the last one is multiplied densely
            x = events(share, kind, graded).requires_grad_(kind != torch.uint8)
            weights = integers(size, SHAPE[2], dtype=dtype).requires_grad_()
            leaves = [weights, *([x] if x.requires_grad else [])]
            got, expected = product(x, weights), x.to(dtype) @ weights.T
            assert torch.equal(got, expected)
            grad = integers(*SHAPE[:2], size, dtype=dtype)
            for a, b in zip(
                torch.autograd.grad(got, leaves, grad),
                torch.autograd.grad(expected, leaves, grad),
                strict=True,
            ):
                assert torch.equal(a, b)
                assert a.dtype == b.dtype


# Sizes of no vector, of short ones, and of vectors of which the last overlaps the one before it: in
# one block, at its end, and in a block that takes two vectors in place of one.
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("graded", [False, True])
def test_events_are_added_in_their_order_to_what_is_there(dtype, graded):
    generator = torch.Generator().manual_seed(3)
    for size in (1, 3, 5, 13, 20, 65, 129, 131, 155):
        x = events(0.15, dtype, graded).flatten(0, 1)
        weights = torch.randn(SHAPE[2], size, generator=generator, dtype=dtype)
        before = torch.randn(len(x), size, generator=generator, dtype=dtype)
        for fresh in (False, True):
            got, expected = before.clone(), torch.zeros_like(before) if fresh else before.clone()
            Events(x, dtype).add_product(weights, got, fresh=fresh)
            for source in range(SHAPE[2]):  # floating-point sums depend on their order
                there = x[:, source] != 0
                expected[there] += x[there, source, None] * weights[source]
            assert torch.equal(got, expected), size


def test_rows_of_few_and_of_many_events_are_listed():
    x = torch.zeros(9, 131)
    x[1, 130], x[2, 7], x[3] = 1, 2, 1  # after rows of few events, stretches are passed over
    x[4, ::8], x[5, 64], x[6, 9], x[8, 0] = 1, -0.0, torch.nan, 1
    for dtype in (torch.float32, torch.float64):
        listed = Events(x.to(dtype), dtype)
        for row, start, count in zip(x, listed.starts, listed.counts, strict=True):
            expected = row.nonzero()[:, 0].tolist()
            assert listed.at[start : start + count].tolist() == expected
    listed = Events(x.nan_to_num(1).to(torch.uint8), torch.float32)
    assert listed.counts.tolist() == [0, 1, 1, 131, 17, 0, 1, 0, 1]


@pytest.mark.parametrize("dtype, line", [(torch.float32, 16), (torch.float64, 8)])
def test_weights_of_each_source_begin_with_a_line_of_the_cache(dtype, line):
    for size, apart in ((line, line), (line + 1, 2 * line), (2 * line, 2 * line)):
        weights = integers(size, 7, dtype=dtype)
        rows = by_source(weights)
        assert torch.equal(rows, weights.T)
        assert rows.stride() == (apart, 1)
    assert by_source(weights[: line - 1]).is_contiguous()  # too few for a vector


def test_product_takes_inputs_that_are_not_contiguous():
    x = events(0.1, torch.float32).transpose(0, 1)
    weights = integers(20, SHAPE[2], dtype=torch.float32)
    assert torch.equal(product(x, weights), x @ weights.T)
    x = events(0.1, torch.float32)[:, ::3, 1::2]
    weights = integers(20, x.shape[2], dtype=torch.float32).T.contiguous().T
    assert torch.equal(product(x, weights), x @ weights.T)


@pytest.mark.parametrize("counted", [0, products.COUNTED])
def test_product_on_several_threads_equals_the_one_on_one(monkeypatch, counted):
    monkeypatch.setattr(products, "COUNTED", counted)
    monkeypatch.setattr("spiker_train.kernels.run._WORK", 100)
    x = events(0.1, torch.float32)
    weights = integers(20, SHAPE[2], dtype=torch.float32).requires_grad_()
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        got = product(x, weights)
        (grad,) = torch.autograd.grad(got.sum(), weights)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(got, x @ weights.T)
    assert torch.equal(grad, x.sum((0, 1)).expand_as(grad))


def test_product_has_second_derivatives():
    x = events(0.1, torch.float64).requires_grad_()
    weights = integers(5, SHAPE[2]).requires_grad_()
    gradients = []
    for multiply in (product, lambda x, weights: x @ weights.T):
        (first,) = torch.autograd.grad(
            multiply(x, weights).square().sum(), weights, create_graph=True
        )
        gradients.append(torch.autograd.grad(first.square().sum(), [x, weights]))
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_events_are_listed_row_by_row():
    x = torch.tensor([[0, 1, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]], dtype=torch.uint8)
    listed = Events(x, torch.float32)
    assert listed.counts.tolist() == [2, 0, 1]
    assert listed.at[:3].tolist() == [1, 3, 0]
    assert listed.value is None
    listed = Events(3 * x, torch.float32)
    assert listed.value is not None
    assert listed.value[:3].tolist() == [3, 3, 3]


def test_density_is_estimated_from_rows_that_are_spread():
    x = torch.zeros(products._SAMPLED_ROWS * 5, 4)
    x[::2] = 1
    assert density(x) == pytest.approx(0.5, abs=0.02)
    assert density(x[:3]) == pytest.approx(2 / 3)


@pytest.mark.parametrize("share", [0.1, 0.6], ids=["events", "dense"])
@pytest.mark.parametrize("shared", [True, False], ids=["same input", "own input"])
def test_products_of_draws_are_those_of_each_draw(share, shared):
    x = events(share, torch.float32)
    for size in (1, 64, 155):
        weights = integers(3, size, SHAPE[2], dtype=torch.float32)
        parts = [x] * 3 if shared else x.split(1)
        expected = torch.cat([part @ own.T for part, own in zip(parts, weights, strict=True)])
        assert torch.equal(products_of_draws(x, weights, shared=shared), expected)


@pytest.mark.parametrize("fresh", [True, False])
def test_product_is_added_unless_memory_is_fresh(fresh):
    x = events(0.1, torch.float32).flatten(0, 1)
    for size in (5, 16, 155):
        weights = integers(SHAPE[2], size, dtype=torch.float32)
        out = torch.full((len(x), size), 3.0)
        Events(x, torch.float32).add_product(weights, out, fresh=fresh)
        assert torch.equal(out, x @ weights + (0 if fresh else 3))
