"""Every change to an image, its versions, builds and tags, and each of its commits that fails: API, store and disk agree
afterwards, and after a restart (image_cells.py)."""
import concurrent.futures
import itertools

import pytest

import lies
from control_rig import ALONE
from image_cells import Cell, Images

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

AT_ONCE = 4
CHANGES = ("create", "update", "delete", "tag", "deactivate", "delete_version", "end_build", "fail_build", "cancel_build",
           "cancel_late", "cancel_early")
LIES = {"the store is full": lies.FULL, "its disk is broken": lies.IOERR, "it is locked": lies.BUSY,
        "control dies before it": 1001, "control dies after it": 1002}
COMMITS = 3  # the first, the second, the third of what a change writes
CELLS = [Cell(change, lie, skip) for lie in LIES for change in CHANGES for skip in range(COMMITS)]


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: this needs no daemon."""


def walk(lie, cells, place):
    try:
        Images(cells, LIES[lie], place).run()
    except Exception as error:  # pylint: disable=broad-except
        for cell in cells:
            cell.problems.append(f"{type(error).__name__}: {error}")


@pytest.fixture(name="walked", scope="module")
def _walked(request, tmp_path_factory):
    wanted = {id(item.callspec.params["cell"]) for item in request.session.items if item.module is request.module}
    asked = [cell for cell in CELLS if id(cell) in wanted]
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        yield {lie: pool.submit(walk, lie, list(cells), tmp_path_factory.mktemp("images"))
               for lie, cells in itertools.groupby(asked, lambda cell: cell.lie)}


@pytest.mark.parametrize("cell", CELLS, ids=lambda c: f"{c.change}, {c.lie}, commit {c.skip + 1}")
def test_rows_api_and_disk_agree(cell, walked):
    walked[cell.lie].result()
    assert not cell.problems
