"""Array jobs: what is sent to a batch system, and what is said when it is silent."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from calozoo.production.array_job import ArrayJob, Needs, measured_needs, parse_directives
from calozoo.production.batch_system import SentJob, ask, read_jobs, write_jobs
from calozoo.production.errors import ProductionError
from calozoo.production.htcondor import HTCondor
from calozoo.production.plan import Plan
from calozoo.production.slurm import Slurm, wall_time
from calozoo.production.status import production_status
from calozoo_core.errors import InputError

NEEDS = Needs(0.001, 5400, 700, "a guess")


def job(small, numbers, **more):
    return ArrayJob(small.path, small.plan, numbers, NEEDS, **more)


def lines(text):
    return dict(
        line.partition("=")[::2] for line in text.splitlines() if line.startswith("#SBATCH")
    )


def test_a_slurm_script_asks_for_one_thread_and_the_measured_time(small):
    (script,) = Slurm().scripts(job(small, [1, 3, 4], at_once=2, setup=["module load gcc"]))
    assert script.startswith("#!/bin/bash\n")
    asked = lines(script)
    assert asked["#SBATCH --array"] == "1,3-4%2"
    assert asked["#SBATCH --time"] == "01:30:00"
    assert asked["#SBATCH --mem"] == "700M"
    assert asked["#SBATCH --cpus-per-task"] == "1"
    export, setup, command = script.splitlines()[-3:]
    assert export == "export OMP_NUM_THREADS=1"
    assert setup == "module load gcc"
    assert shlex.split(command)[:4] == ["exec", sys.executable, "-m", "calozoo"]
    assert f"--plan {small.path} --shard $SLURM_ARRAY_TASK_ID/5 --threads 1" in command


def test_a_line_of_ones_own_replaces_ours(small):
    own = parse_directives(["time=10:00", "account=a b"])
    (script,) = Slurm().scripts(job(small, [1], directives=own))
    assert lines(script)["#SBATCH --time"] == "10:00"
    assert lines(script)["#SBATCH --account"] == "'a b'"
    (script,) = HTCondor().scripts(job(small, [1], directives={"request_memory": "9GB"}))
    assert "request_memory = 9GB\n" in script
    assert script.count("request_memory") == 1


def test_more_than_a_thousand_shards_are_several_arrays(small):
    size = small.plan.batch_size
    bounds = tuple((size * k, size * (k + 1)) for k in range(2500))
    asked = small.plan.request.model_copy(update={"n": 2500 * size})
    plan = Plan.model_validate(small.plan.model_dump() | {"shards": bounds, "request": asked})
    numbers = [1, 1000, 1001, 2500]
    scripts = Slurm().scripts(ArrayJob(small.path, plan, numbers, NEEDS))
    assert [lines(script)["#SBATCH --array"] for script in scripts] == ["1,1000", "1", "500"]
    for script, offset in zip(scripts[1:], (1000, 2000), strict=True):
        assert f"--shard $((SLURM_ARRAY_TASK_ID + {offset}))/2500" in script


def test_a_description_for_htcondor_queues_one_job_a_shard(small):
    (text,) = HTCondor().scripts(job(small, [2, 5]))
    assert text.endswith("\nqueue shard in (2, 5)\n")
    assert f'arguments = "-m calozoo generate --plan {small.path} --shard $(shard)/5' in text
    assert 'environment = "OMP_NUM_THREADS=1"\n' in text
    assert "+MaxRuntime = 5400\n" in text
    with pytest.raises(InputError, match="HTCondor runs no shell"):
        HTCondor().scripts(job(small, [2], setup=["x"]))


@pytest.mark.parametrize("word", ["", "account", "=3", "a b=3", "x=a\nb"])
def test_an_option_that_is_no_line_is_refused(word):
    with pytest.raises(InputError, match="write name=value"):
        parse_directives([word])


def test_time_is_written_as_slurm_reads_it():
    assert wall_time(600) == "00:10:00"
    assert wall_time(2 * 86400 + 3600) == "2-01:00:00"


def test_needs_are_measured_by_a_trial_and_then_by_the_shards(small):
    trial = measured_needs(small.path, small.plan)
    assert trial.origin.startswith("a trial of 48 showers on ")
    assert 0 < trial.seconds_per_shower < 1
    assert trial.wall_seconds == 600
    assert 200 <= trial.memory_mb <= 20_000
    from calozoo.production.shards import ShardMaker

    with ShardMaker(small.path, small.plan) as maker:
        record = maker.make(1)
        slow = record.model_copy(update={"seconds": 4800.0})
        maker.folder.write_record(slow)
    later = measured_needs(small.path, small.plan)
    assert later.origin == "the slowest of 1 shards"
    assert later.seconds_per_shower == 4800 / (record.stop - record.first)
    assert later.wall_seconds >= 2 * 4800
    assert later.wall_seconds % 600 == 0


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Programs of a batch system that do what a test says."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def add(name, shell):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{shell}\n")
        path.chmod(0o755)

    return add


def test_a_scheduler_that_is_silent_is_given_up_in_one_sentence(programs):
    programs("squeue", "exec sleep 60")
    with pytest.raises(ProductionError, match=r"^squeue did not answer within 0\.3 s; try again"):
        ask(["squeue"], timeout=0.3)


def test_a_scheduler_that_is_not_there_is_said_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProductionError, match="There is no sbatch here"):
        ask(["sbatch"])


def test_what_a_scheduler_objects_to_is_handed_on(small, programs, typed):
    programs("sbatch", "echo 'sbatch: error: invalid account\nor none' >&2; exit 1")
    code, out, err = typed("submit", "slurm", str(small.path), "--quiet")
    assert (code, out) == (1, "")
    assert err == "calozoo: sbatch failed with 1: sbatch: error: invalid account or none.\n"
    assert production_status(small.path, small.plan).missing == (1, 2, 3, 4, 5)


def test_a_job_that_was_sent_is_not_sent_again(small, programs, typed, tmp_path):
    programs("sbatch", f"cat > {tmp_path}/sent; echo '77;cluster'")
    programs("squeue", "echo '77 1 RUNNING'; echo '77 2 PENDING'; echo '78 3 RUNNING'; echo ''")
    assert typed("submit", "slurm", str(small.path))[0] == 0
    (sent,) = read_jobs(small.folder)
    assert sent == SentJob(system="slurm", job="77", shards={str(n): n for n in range(1, 6)})
    code, out, _ = typed("status", str(small.path), "--json")
    found = json.loads(out)
    assert code == 0
    assert found["running"] == [{"shard": 1, "host": "queue"}]
    assert found["waiting"] == [2]
    assert found["missing"] == [3, 4, 5]
    assert typed("submit", "slurm", str(small.path))[0] == 0
    assert "#SBATCH --array=3-5\n" in (tmp_path / "sent").read_text()


def test_jobs_of_htcondor_are_known_by_cluster_and_process(small, programs, typed):
    programs("condor_submit", "echo '41.0 - 41.4'")
    programs("condor_q", "echo '41 0 2'; echo '41 1 1'; echo '41 2 5'")
    assert typed("submit", "htcondor", str(small.path), "--json")[:2] == (
        0,
        '{"jobs": ["41"], "shards": [1, 2, 3, 4, 5]}\n',
    )
    found = json.loads(typed("status", str(small.path), "--json")[1])
    assert found["running"] == [{"shard": 1, "host": "queue"}]
    assert (found["waiting"], found["held"], found["missing"]) == ([2], [3], [4, 5])


def test_status_tells_what_the_files_tell_when_the_scheduler_is_gone(small, monkeypatch, typed):
    monkeypatch.setenv("PATH", str(small.path.parent))
    small.folder.path.mkdir()
    write_jobs(small.folder, [SentJob(system="slurm", job="7", shards={"1": 1})])
    code, out, err = typed("status", str(small.path))
    assert code == 1
    assert "missing  5  1-5" in out
    assert err == "calozoo: There is no squeue here; type this on a machine that sends jobs.\n"
