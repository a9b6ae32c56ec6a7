"""Jobs that may hang or crash are run in other processes, and each has its answer."""

from __future__ import annotations

from pathlib import Path

from calozoo.doctor.checks import Job, run_jobs


def test_jobs_are_answered_in_order_whatever_becomes_of_the_process():
    jobs = [
        Job("os:getcwd"),
        Job("os:no_such_function"),
        Job("calozoo.doctor.machine:import_library", {"name": "numpy"}),
        Job("os:_exit", {"status": 0}),
        Job("os:abort"),
        Job("os:getcwd"),
    ]

    answers = list(run_jobs(jobs, 20))

    assert answers[0].value == answers[5].value == str(Path.cwd())
    assert "raised" in answers[1].trouble
    assert answers[2].value
    assert [answer.trouble for answer in answers[3:5]] == ["ended the process it ran in"] * 2


def test_a_job_that_hangs_is_given_up_and_the_next_are_done():
    hanging, after = run_jobs([Job("signal:pause"), Job("os:getcwd")], 3)

    assert hanging.trouble == "did not end within 3 s"
    assert after.value == str(Path.cwd())


def test_what_a_job_prints_is_not_taken_for_its_answer(site, monkeypatch):
    (site.folder / "noisy.py").write_text(
        "import os; print('{}'); os.write(1, b'x'); f = os.getcwd"
    )
    monkeypatch.setenv("PYTHONPATH", str(site.folder))

    (answer,) = run_jobs([Job("noisy:f")], 20)

    assert answer.value == str(Path.cwd())
