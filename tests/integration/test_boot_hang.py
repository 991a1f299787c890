"""A build's microVM that stands still while it boots: seen in seconds, explained, and booted once more."""
import os
import pathlib
import signal
import subprocess
import threading
import time

from rig import PREFIX, booting, wait_for


def test_a_boot_that_stands_still_is_seen_and_tried_once_more(doze, images):
    arn = images["counter"]
    stopped = []

    def stop():
        end = time.monotonic() + 60
        while not stopped and time.monotonic() < end:
            for pid in booting(doze):
                os.kill(pid, signal.SIGSTOP)
                stopped.append((pid, time.monotonic()))
            time.sleep(0.01)

    hand = threading.Thread(target=stop)
    hand.start()
    done = subprocess.run([PREFIX / "bin/doze", "--instance", doze.name, "image", "rebuild", "counter"], check=False, text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    hand.join()
    assert stopped and done.returncode == 0, done.stdout
    number = doze.api.get_microvm_image(imageIdentifier=arn)["latestActiveImageVersion"]
    log = doze.build_log("counter", number)
    assert "the microVM hangs while it boots: its guest has done nothing for 8 seconds" in log, log
    assert "it boots once more" in log and "QEMU does not answer." in log, log
    kept = [p for p in (doze.log / "builds").glob("*.hung") if "state T" in p.read_text()]
    assert len(kept) == 1 and "== boot 1: " in kept[0].read_text()
    wait_for("the one that stood still is gone", lambda: not pathlib.Path(f"/proc/{stopped[0][0]}").exists(), 10)
