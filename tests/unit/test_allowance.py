"""So many a minute, for all or for each address; the clock is the test's."""

from receiver.allowance import AllowancePerAddress


def test_each_address_has_its_own() -> None:
    now_s = 0.0
    allowance = AllowancePerAddress(2, lambda: now_s)
    assert [allowance.take(one) for one in "aaabb"] == [True, True, False, True, True]
    now_s += 30
    assert [allowance.take(one) for one in "aab"] == [True, False, True]


def test_a_flood_of_addresses_fills_no_memory() -> None:
    allowance = AllowancePerAddress(1, lambda: 0.0)
    allowance.max_addresses = 3
    for number in range(1000):
        assert allowance.take(str(number))
        assert len(allowance) <= 3
    assert [allowance.take(one) for one in ("999", "998", "997", "0")] == [False, False, False, True]
