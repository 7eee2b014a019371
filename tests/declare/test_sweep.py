"""The collector of cycles, held off."""

import gc

import pytest

from opgraph.declare.sweep import unswept


def test_nothing_is_collected_meanwhile():
    """The collector is off while the function runs, and on again after it, also after an error."""

    @unswept
    def collecting(fail: bool) -> bool:
        if fail:
            raise ValueError
        return gc.isenabled()

    assert collecting(False) is False
    assert gc.isenabled()
    with pytest.raises(ValueError):
        collecting(True)
    assert gc.isenabled()


def test_off_stays_off():
    """Who turned the collector off finds it off."""
    gc.disable()
    try:
        assert unswept(gc.isenabled)() is False
        assert not gc.isenabled()
    finally:
        gc.enable()
