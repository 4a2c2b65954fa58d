"""The number of BLAS threads is one inside and what it was outside."""

from systolith.quant import blas_threads
from systolith.quant.blas_threads import one_blas_thread, workers


def test_restores_the_number_of_threads() -> None:
    found = blas_threads._library()
    with one_blas_thread(), one_blas_thread():
        if found is not None:
            library, pattern = found
            assert getattr(library, pattern.format("get"))() == 1
    if found is not None:
        assert getattr(library, pattern.format("get"))() == blas_threads._before


def test_workers() -> None:
    assert 1 <= workers() <= 8
