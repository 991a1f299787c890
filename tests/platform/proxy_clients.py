"""Which interpreter runs the tests that need libraries from PyPI (tools/test-grpc, tools/test-native)."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def clients(where, tool="test-grpc"):
    """Go on in an interpreter that has them."""
    subprocess.run([f"{HERE}/../../tools/{tool}", where], check=True)
    python = f"{where}/bin/python"
    if os.path.realpath(sys.prefix) != os.path.realpath(where):
        os.execv(python, [python, *sys.argv])
