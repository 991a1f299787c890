"""What an installation has below libexec for builds, of this build."""
import os
import pathlib
import shutil

from rig import ROOT

BUILD = pathlib.Path(os.environ.get("DOZE_BUILD", ROOT / "build-check/gcc"))
PROGRAMS = "doze-build-step", "doze-build-runtime", "doze-build-runc", "doze-copy"


def libexec_of_the_tree(to):
    to.mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy(BUILD / "src/image" / name, to)
    for name in ("front", "stand-in"):
        shutil.copytree(ROOT / "src/image" / name, to / name)
    for file in (BUILD / "src/provider/rand.so", ROOT / "src/provider/openssl.cnf", ROOT / "src/provider/node.cjs"):
        shutil.copy(file, to / "front")
    return to
