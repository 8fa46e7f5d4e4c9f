"""The receiver's small parts that only need a clock."""

from receiver.allowance import Allowance
from receiver.circuit import Circuit
from receiver.clock import ReceiveClock


def test_received_at_never_goes_back() -> None:
    now_ns = iter([5_000_000, 5_000_900, 4_000_000, 9_000_000])
    clock = ReceiveClock(lambda: next(now_ns))
    assert [clock.now_us() for _ in range(4)] == [5000, 5001, 5002, 9000]


def test_an_allowance_flows_back() -> None:
    now_s = 0.0
    allowance = Allowance(60, lambda: now_s)
    assert [allowance.take() for _ in range(61)] == [True] * 60 + [False]
    now_s = 2.0
    assert [allowance.take() for _ in range(3)] == [True, True, False]


def test_an_allowance_of_none() -> None:
    assert not Allowance(0).take()


def test_a_circuit_lets_one_try_after_a_growing_wait() -> None:
    now_s = 100.0
    circuit = Circuit(lambda: now_s, shortest_s=1.0, longest_s=8.0)
    assert circuit.admits()
    circuit.failed()
    assert not circuit.admits()
    now_s += 1.0
    assert [circuit.admits(), circuit.admits()] == [True, False]
    circuit.failed()
    assert circuit.next_wait_s() >= 2.0
    now_s += 2.0
    assert circuit.admits()
    circuit.succeeded()
    assert [circuit.admits(), circuit.admits()] == [True, True]
