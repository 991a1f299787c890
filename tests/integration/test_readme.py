"""The commands of README.md do what it says when they are typed one after the other."""
import os
import re
import subprocess

from rig import CLIENTS, PREFIX, ROOT


def blocks(section):
    """The indented blocks of a section, each as one script."""
    text = re.search(rf"^## {section}\n(.*?)^## ", (ROOT / "README.md").read_text(), re.M | re.S)[1]
    return [re.sub("^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", text, re.M)]


def run(doze, script, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | {
        "DOZE_INSTANCE": doze.name, "XDG_CACHE_HOME": str(tmp_path), "PATH": f"{PREFIX}/bin:{CLIENTS}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=environment, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900)
    assert done.returncode == 0, f"{done.stderr}\n{done.stdout}"
    return done.stdout


def test_the_readmes_commands_work_as_typed_from_an_image_to_an_answer(doze, tmp_path):
    with_aws = blocks("Use it")[0]
    out = run(doze, with_aws, tmp_path)
    assert "Hello" in out.splitlines()[-1], out


def test_the_readmes_short_commands_work_as_typed(doze, tmp_path):
    with_doze = blocks("Use it")[1]
    # The id that a reader would copy; the instance is the other tests' too and stays up.
    script = re.sub(r"^(doze run .*?)(?: +#.*)?$", r"ran=$(\1)\nran=${ran#microvm-}", with_doze, flags=re.M)
    script = re.sub(r"\ba99\b", "${ran:0:6}", re.sub(r"^sudo .*\n", "", script, flags=re.M))
    out = run(doze, script, tmp_path)
    assert all(state in out for state in ("RUNNING", "SUSPENDED", "TERMINATED")), out
