"""A child reads a job and configurations, and writes figures, even where something prints."""

import pickle
import subprocess
import sys
from io import BytesIO
from typing import Any

from systolith.sw.sweep.measure import Job, run_job


def test_pickles_in_and_out(job: Job, points: dict[str, dict[str, Any]]) -> None:
    values = list(points.values())[:2]
    sent = pickle.dumps(job) + b"".join(pickle.dumps(one) for one in values)
    code = (
        "import systolith.sw.sweep.worker as w; run = w.run_job\n"
        "def loud(job, values):\n    print('noise', flush=True)\n    return run(job, values)\n"
        "w.run_job = loud; w.main()"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=sent, capture_output=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    received = BytesIO(ran.stdout)
    assert [pickle.load(received) for _ in values] == [run_job(job, one) for one in values]
    assert not received.read()
    assert ran.stderr.count(b"noise") == 2


def test_a_worker_imports_little() -> None:
    code = (
        "import sys, systolith.sw.sweep.worker\n"
        "print(sorted({'onnx', 'onnxruntime', 'amaranth', 'matplotlib', 'cocotb', 'distributed'} & set(sys.modules)))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.stdout.strip() == "[]", ran.stdout + ran.stderr
