# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark: fair contests, what it prints and stores."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fastloss as fl
from cases import assert_same_bits, losses
from fastloss import _core, bench
from fastloss.__main__ import main
from fastloss.bench import contest, experiments, peers, targets
from fastloss.bench.contest import FASTLOSS, ROOFLINES, compare
from fastloss.bench.experiments import EXPERIMENTS, Experiment
from fastloss.bench.peers import Call, Contestant, by_numpy, flat
from fastloss.bench.problems import (
    DTYPES,
    Problem,
    fitting,
    parse_shape,
    problems,
    shapes_beyond_cache,
)
from fastloss.bench.results import Results, Row
from fastloss.bench.targets import TARGETS, Target, time_of, verdicts
from fastloss.bench.timing import Quartiles, Timed, interleaved
from fastloss.domains import Domain
from processes import output, python

TINY = {
    "pointwise": (50,),
    "rowwise": (6, 5),
    "overlap": (2, 3, 4, 5),
    "ordered": (50,),
    "groupwise": (6, 5),
}
OURS = {FASTLOSS, *ROOFLINES}
NUMPY_ONLY = ["--peers", "numpy"]

each_level = pytest.mark.parametrize("level", [x for x, runs in _core.isa_levels() if runs])
each_experiment = pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda e: e.kind)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def tiny(loss: Any, dtype: str = "float32") -> Problem:
    return Problem(loss, dtype, fitting(loss, TINY[loss.family]))


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times are not what is tested here."""
    monkeypatch.setattr("fastloss.bench.timing.NANOSECONDS", 1)
    monkeypatch.setattr("fastloss.bench.timing.PAUSE", 0)
    level = _core.isa()
    monkeypatch.setattr("fastloss.bench.cpus.bind_to", lambda _: None)
    yield
    fl.set_isa(level)


@each_dtype
@losses
def test_arguments_are_valid(loss: Any, dtype: str) -> None:
    problem = tiny(loss, dtype)
    arrays = problem.draw()
    for name in loss.inputs:
        assert arrays[name].dtype == dtype
        assert arrays[name].shape == problem.shape
    for name in loss.targets:
        fl.check_target(loss, arrays[name])
    assert np.isfinite(loss(*arrays.values()))
    for name, array in problem.draw().items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.parametrize(
    "domain", [Domain("", 2), Domain("", high=-3), Domain("", -1, 5), Domain("")]
)
def test_targets_are_in_their_domain(domain: Domain, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fl.mse, "domain", {"target": domain})
    assert domain.contains(Problem(fl.mse, "float64", (1000,)).draw()["target"]).all()


@each_dtype
@losses
def test_numpy_has_equal_results(loss: Any, dtype: str) -> None:
    row = compare(tiny(loss, dtype), by_numpy.contestants(1), rounds=5)
    assert row.errors == {}
    assert set(row.times) == {*OURS, by_numpy.NAME}


def test_a_loss_without_a_spelling_is_its_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(by_numpy.SPELLINGS, "mae")
    called = []
    monkeypatch.setattr(
        fl.mae.reference, "value_and_grad", lambda *x: called.append(x) or fl.mae.value_and_grad(*x)
    )
    assert compare(tiny(fl.mae), by_numpy.contestants(1), rounds=5).errors == {}
    assert called


@pytest.mark.peers
@pytest.mark.filterwarnings("default")  # other libraries' own
@pytest.mark.parametrize("name", peers.PEERS)
@each_dtype
@losses
def test_peers_have_equal_results(loss: Any, dtype: str, name: str) -> None:
    try:
        peer = peers.load(name)
    except ImportError as error:
        pytest.skip(f"needs the extra [peers]: {error}")
    contestants = peer.contestants(1)
    row = compare(tiny(loss, dtype), contestants, rounds=5)
    assert row.errors == {}
    has_it = peer is by_numpy or loss.__name__ in peer.LOSSES
    expected = {x.name for x in contestants} if has_it else set()
    assert set(row.times) == {*OURS, *expected}


@each_level
@pytest.mark.parametrize("past_cache", [False, True])
@pytest.mark.parametrize("count", [1, 63, 4096, 100_003])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (2, 1), (3, 2)])
def test_the_roofline_reads_and_writes_everything(
    inputs: int, outputs: int, count: int, past_cache: bool, level: str
) -> None:
    generator = np.random.default_rng(count)
    given = [generator.integers(2**32, size=count, dtype=np.uint32) for _ in range(inputs)]
    results = [np.zeros(count + 1, np.uint32) for _ in range(outputs)]
    fl.set_isa(level)
    with fl.threads(3):
        _core.move_bytes(given, [x[:count] for x in results], past_cache=past_cache)
    for found in results:
        np.testing.assert_array_equal(found[:count], sum(given[1:], given[0]))
        assert found[count] == 0


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        ([], [np.zeros(4)]),
        ([np.zeros(4)], []),
        ([np.zeros(4)], [np.zeros(4, np.float32)]),
        ([np.zeros(3, np.uint8)], [np.zeros(3, np.uint8)]),
        ([np.zeros(8)[::2]], [np.zeros(4)]),
        ([np.zeros(4)], [np.broadcast_to(np.zeros(1), 4)]),
        ([np.zeros(4)], [np.zeros(5)[1:]]),
        ([[0.0]], [np.zeros(1)]),
    ],
)
def test_the_roofline_refuses_other_arrays(inputs: Any, outputs: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="move_bytes: expected"):
        _core.move_bytes(inputs, outputs, past_cache=True)


def test_the_roofline_moves_what_a_loss_moves() -> None:
    problem = tiny(fl.gaussian_nll)
    moved = contest.roofline(problem, problem.draw(), past_cache=False).statement
    inputs, outputs = moved.args
    assert (len(inputs), len(outputs)) == (3, 2)
    problem = tiny(fl.cross_entropy)
    inputs, outputs = contest.roofline(problem, problem.draw(), past_cache=False).statement.args
    assert [x.shape for x in inputs] == [x.shape for x in outputs] == [problem.shape]


def test_other_results_and_failures_are_errors() -> None:
    def off_by_little(problem: Problem, arrays: Any) -> Call:
        value, grad = problem.loss.value_and_grad(*arrays.values())
        return Call(lambda: (value, grad * np.float32(1.0001)))

    def broken(problem: Problem, arrays: Any) -> Call:
        raise RuntimeError("no compiler\nand more")

    contestants = [
        Contestant("off", off_by_little),
        Contestant("broken", broken),
        Contestant("lacks it", lambda *_: None),
    ]
    row = compare(tiny(fl.huber), contestants, rounds=5)
    assert set(row.times) == OURS
    assert set(row.errors) == {"off", "broken"}
    assert "differs" in row.errors["off"]
    assert row.errors["broken"] == "RuntimeError: no compiler"


def test_contestants_take_turns() -> None:
    calls: list[str] = []
    names = ("a", "b", "c")
    timed = {name: Timed(lambda name=name: calls.append(name)) for name in names}
    times = interleaved(timed, rounds=7)
    assert set(times) == set(names)
    for found in times.values():
        assert 0 < found.low <= found.median <= found.high
    turns = [x for i, x in enumerate(calls) if i == 0 or calls[i - 1] != x]
    assert turns[-21:] == list(names) * 7


def test_a_context_is_entered_for_the_measurement() -> None:
    threads = []
    with fl.threads(1):
        timed = Timed(lambda: threads.append(fl.get_num_threads()), context=lambda: fl.threads(3))
        interleaved({"": timed}, rounds=5)
    assert set(threads) == {3}


def test_sizes_that_fit_a_family() -> None:
    chosen = [fl.mse, fl.cross_entropy]
    shapes = [parse_shape("10"), parse_shape("4x7")]
    found = {(p.loss.__name__, p.size) for p in problems(chosen, ["float32"], shapes)}
    assert found == {("mse", "10"), ("cross_entropy", "4x7")}


def test_huge_arrays_do_not_fit_the_cache_but_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = 1 << 20
    monkeypatch.setattr("fastloss.bench.problems.last_cache", lambda: cache)
    monkeypatch.setattr("fastloss.bench.problems.available_memory", lambda: 100 * cache)
    (count,), (rows, classes) = shapes_beyond_cache("float64")
    assert 8 * count == 4 * cache
    assert 4 * cache <= 8 * rows * classes < 5 * cache
    monkeypatch.setattr("fastloss.bench.problems.available_memory", lambda: 10 * cache)
    assert shapes_beyond_cache("float64") == ()


def test_results_are_stored_and_read(tmp_path: Path) -> None:
    results = Results.here(2, ["numpy"])
    assert results.versions["numpy"] == np.__version__
    row = Row.of("value_and_grad", tiny(fl.cross_entropy))
    row.times["fastloss"] = Quartiles(1.5, 2.5, 3.5)
    row.errors["NumPy"] = "it differs: ≠"
    results.rows.append(row)
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results
    assert row.problem == tiny(fl.cross_entropy)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "results.json"
    sizes = ["--sizes", "10", "4x5"]
    assert main(["bench", "mse", "cross_entropy", *NUMPY_ONLY, *sizes, "--save", str(file)]) == 0
    printed = capsys.readouterr().out
    for word in ("mse, float32, 10", "cross_entropy, float32, 4x5", f"numpy {np.__version__}"):
        assert word in printed
    rows = Results.load(file).rows
    assert [(row.loss, row.size) for row in rows] == [("mse", "10"), ("cross_entropy", "4x5")]


def test_the_command_with_a_picture_and_targets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = [
        replace(e, shapes={"pointwise": ((1000,),), "rowwise": ((3, 4),), "overlap": ()})
        for e in EXPERIMENTS
    ]
    monkeypatch.setattr("fastloss.bench.command.EXPERIMENTS", small)
    picture = tmp_path / "times.png"
    sizes = ["--sizes", "1000", "3x4"]
    few = ["mse", "gaussian_nll", "cross_entropy"]
    assert main(["bench", *few, *NUMPY_ONLY, *sizes, "--table", "--plot", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    assert "gaussian_nll, float32, 1000 (subnormal)" in printed
    assert "cross_entropy, float32, 3x4 (variant)" in printed
    assert "NumPy / fastloss" in printed


@each_experiment
def test_experiments_compare_calls_that_work(experiment: Experiment) -> None:
    problems = list(experiment.problems())
    assert problems
    for loss in {problem.loss.__name__: problem.loss for problem in problems}.values():
        row = experiment.measure(tiny(loss))
        assert row.kind == experiment.kind
        assert len(row.times) > 1


@pytest.mark.parametrize("kind", ["threads", "level"])
@losses
def test_calls_that_differ_in_how_they_are_made_have_one_result(loss: Any, kind: str) -> None:
    experiment = next(e for e in EXPERIMENTS if e.kind == kind)
    results = []
    for name, timed in experiment.calls(tiny(loss)).items():
        with timed.context():
            if name != "baseline":
                results.append(flat(timed.statement()))
    for result in results[1:]:
        assert_same_bits(tuple(result), tuple(results[0]))


def test_axis_0_computes_the_same() -> None:
    calls = experiments.variants(tiny(fl.cross_entropy))
    value, grad = calls["axis=0"].statement()
    expected, expected_grad = calls["plain"].statement()
    assert value == expected
    np.testing.assert_array_equal(grad.T, expected_grad)


def test_a_step_reads_the_gradient_where_it_says() -> None:
    problem = tiny(fl.gaussian_nll, "float64")
    arrays = problem.draw()
    for aligned in (True, False):
        grads = [experiments.empty_like(x, aligned) for x in arrays.values()]
        assert [x.ctypes.data % 16 == 0 for x in grads] == [aligned] * 3
    before = {name: x.copy() for name, x in arrays.items()}
    grads = fl.gaussian_nll.grad(*before.values())
    experiments.step(problem, arrays, aligned=True).statement()
    rate = experiments.LEARNING_RATE
    np.testing.assert_array_equal(arrays["pred"], before["pred"] - rate * grads[0])
    np.testing.assert_array_equal(arrays["var"], before["var"] - rate * grads[1])


def row_of(times: dict[str, float], **changes: str) -> Row:
    row = Row("value_and_grad", "mse", "float32", "1000")
    for name, value in changes.items():
        setattr(row, name, value)
    row.times = {name: Quartiles(t, t, t) for name, t in times.items()}
    return row


def test_targets_are_judged_by_their_worst_row() -> None:
    target = Target("value_and_grad", ("NumPy", FASTLOSS), at_least=5, sizes=("1000",))
    rows = [
        row_of({FASTLOSS: 10, "NumPy": 80}),
        row_of({FASTLOSS: 10, "NumPy": 40}, loss="mae"),
        row_of({FASTLOSS: 10, "NumPy": 10}, size="8"),
        row_of({FASTLOSS: 10, "NumPy": 10}, kind="threads"),
        row_of({FASTLOSS: 10, "NumPy": 10}, dtype="float64"),
        row_of({FASTLOSS: 10}),
    ]
    (verdict,) = verdicts(rows, [target])
    assert [ratio for ratio, _ in verdict.ratios] == [4, 8]
    assert verdict.missed == ((4, rows[1]),)
    (verdict,) = verdicts(rows, [replace(target, at_least=None, at_most=6)])
    assert [ratio for ratio, _ in verdict.ratios] == [8, 4]
    assert verdict.missed == ((8, rows[0]),)


def test_names_of_more_than_one_contestant() -> None:
    row = row_of({FASTLOSS: 10, "NumPy": 30, "JAX": 20, "roofline": 5, "roofline, non-temporal": 4})
    assert time_of(row, targets.BEST_PEER) == 20
    assert time_of(row, targets.BEST) == 4
    assert time_of(row, targets.ROOFLINE) == 4
    assert time_of(row, targets.NANOSECOND_PER_ELEMENT) == 1000
    assert time_of(row, "NumPy") == 30
    assert time_of(row, "PyTorch") is None


def test_every_target_concerns_what_is_measured() -> None:
    rows = [Row.of("value_and_grad", problem) for problem in problems(fl.losses.values())]
    rows += [Row.of(e.kind, problem) for e in EXPERIMENTS for problem in e.problems()]
    for target in TARGETS:
        concerned = [row for row in rows if target.concerns(row)]
        assert {row.loss for row in concerned} >= set(targets.LOSSES[target.losses]), target
        assert {row.size for row in concerned} >= set(target.sizes), target
        assert concerned


@pytest.mark.parametrize(
    "arguments",
    [
        ["hubert"],
        ["--peers", "numpy,pytorch"],
        ["--sizes", "ten"],
        ["--sizes", "0"],
        ["--threads", "0"],
        ["--threads", "100000"],
        ["--dtype", "float16"],
    ],
)
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(["bench", *arguments])


def test_sizes_of_no_chosen_loss_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "mse", *NUMPY_ONLY, "--sizes", "4x5"]) == 1
    assert "sizes" in capsys.readouterr().err


def test_missing_peers_are_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "numexpr", None)
    monkeypatch.delitem(sys.modules, "fastloss.bench.peers.by_numexpr", raising=False)
    assert main(["bench", "mse", "--peers", "numpy,numexpr", "--sizes", "10"]) == 0
    message = capsys.readouterr().err
    assert "numexpr" in message
    assert 'pip install "fastloss[peers]"' in message


def test_missing_extra_names_the_command_that_installs_it() -> None:
    done = python("""
        import sys
        from fastloss import _core, bench
        from fastloss.__main__ import main
        sys.modules.update(dict.fromkeys(bench.EXTRA))  # None: the import fails
        sys.exit(main(["bench"]))
    """)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("pip install 'fastloss[bench]'")


def test_threads_are_those_that_the_process_is_bound_to() -> None:
    script = """
        import os
        import fastloss as fl
        from fastloss.bench import cpus
        cpus.bind_to(1)
        print(len(os.sched_getaffinity(0)), fl.get_num_threads())
    """
    assert output(script) == "1 1"


def test_fastloss_imports_no_other_library() -> None:
    script = """
        import sys
        import fastloss, fastloss.bench, fastloss.__main__
        print(*sys.modules)
    """
    others = {"torch", "jax", "sklearn", "numba", "numexpr", *bench.EXTRA}
    assert others.isdisjoint(output(script).split())
