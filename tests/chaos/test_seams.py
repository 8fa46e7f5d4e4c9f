"""The seams fit the product as it is now, and a seam that does not fit is loud."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.arms import Arms
from tests.chaos.mutants import MUTANTS
from tests.chaos.seams import SeamGone, patch


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_seam_fits(mutant: str, tmp_path: Path) -> None:
    """In a process of its own: what is patched stays patched."""
    program = (
        "import sys; from pathlib import Path; from tests.chaos import mutants, seams; from tests.chaos.arms import Arms;"
        f"arms = Arms(Path(sys.argv[1])); seams.install_clock(arms); mutants.MUTANTS[{mutant!r}]();"
        "seams.install_receiver(arms); seams.install_worker(arms)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_a_seam_that_is_gone_or_changed_is_loud() -> None:
    class Product:
        def work(self, item: int) -> None: ...

    with pytest.raises(SeamGone, match="no longer exists"):
        patch(Product, "rest", (), lambda real: real)
    with pytest.raises(SeamGone, match="takes"):
        patch(Product, "work", ("self",), lambda real: real)


def test_a_token_is_taken_once_and_counted(tmp_path: Path) -> None:
    arms = Arms(tmp_path)
    arms.arm("point", 2)
    assert [arms.take("point") for _ in range(3)] == [True, True, False]
    assert arms.fired("point") == 2
