import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import supervision as sv

from nbhelpers.artifacts import to_json
from nbhelpers.errors import BadInput, Unavailable
from nbhelpers.export import (
    QuantizeSettings,
    TorchEngine,
    compare,
    int8_verdict,
    open_engine,
    plot_speed_accuracy,
    quantize_best,
)
from nbhelpers.export.accuracy import Accuracy, evaluate_engine, output_differences
from nbhelpers.export.card import card_of_student
from nbhelpers.export.peak import PeakMemory, measure_peak
from nbhelpers.export.processor import int8_support
from nbhelpers.export.search import CandidateRow, choose
from nbhelpers.export.timing import latency, time_in_turn
from nbhelpers.export.verdict import ratio_interval
from nbhelpers.runtime import Choice


class Oracle:
    """An engine that returns the labels themselves, moved by some pixels."""

    def __init__(self, coco, student, shift: float = 0.0, names=None):
        self.card = card_of_student(student)
        self.class_names, self.task = names or list(coco.class_names), "segment"
        self._coco, self._shift = coco, shift
        self._ids = {coco.image(image_id).tobytes(): image_id for image_id in coco.image_ids}

    def predict(self, image, **options):
        found = self._coco.detections(self._ids[image.tobytes()])
        mask = np.roll(found.mask, round(self._shift), axis=2)
        order = [self.class_names.index(self._coco.class_names[index]) for index in found.class_id]
        return sv.Detections(
            xyxy=found.xyxy + np.float32([self._shift, 0, self._shift, 0]),
            mask=mask,
            class_id=np.array(order, int),
            confidence=np.linspace(0.9, 0.5, len(found), dtype=np.float32),
        )


class TestAccuracy:
    def test_the_labels_themselves_score_one(self, labelled, student):
        found = evaluate_engine(Oracle(labelled, student), labelled)
        assert found.box_ap == found.mask_ap == found.mask_ap50 == 1.0
        assert (found.images, found.annotations) == (6, len(labelled.annotations))
        assert found.ap == found.mask_ap

    def test_moved_labels_score_less(self, labelled, student):
        assert evaluate_engine(Oracle(labelled, student, 6), labelled).box_ap < 0.9

    def test_classes_are_matched_by_name(self, labelled, student):
        names = ["hazelnut", "date", "fig"]
        assert evaluate_engine(Oracle(labelled, student, names=names), labelled).box_ap == 1.0

    def test_an_unknown_class_is_named(self, labelled, student):
        with pytest.raises(BadInput, match="no category 'walnut'"):
            evaluate_engine(Oracle(labelled, student, names=["date", "walnut"]), labelled)

    def test_differences_are_told_apart(self, labelled, student, photos):
        torch_engine = TorchEngine(student)
        moved = TorchEngine(student)
        plain = moved.run

        def run(batch):
            raw = [output.copy() for output in plain(batch)]
            raw[0][:, 0] += 2.0  # boxes two pixels to the right
            raw[0][:, 5] += 0.125
            raw[1] -= 0.5
            return raw

        moved.run = run
        found = output_differences(moved, torch_engine, photos)
        assert found == {
            "boxes_px": pytest.approx(2.0, abs=1e-4),
            "scores": pytest.approx(0.125, abs=1e-6),
            "mask_coefficients": 0.0,
            "prototypes": pytest.approx(0.5, abs=1e-5),
        }
        assert max(output_differences(torch_engine, torch_engine, photos).values()) == 0.0


class TestTiming:
    def test_everyone_gets_the_same_number_of_turns_in_changing_order(self):
        calls = []
        functions = {name: (lambda name=name: calls.append(name)) for name in "abc"}
        times = time_in_turn(functions, warmup=2, runs=20)
        assert calls[:6] == list("aabbcc")
        rounds = ["".join(calls[6 + 3 * turn : 9 + 3 * turn]) for turn in range(20)]
        assert all(sorted(turn) == list("abc") for turn in rounds)
        assert len(set(rounds)) > 2
        assert {len(values) for values in times.values()} == {20}

    def test_a_slower_function_is_slower(self):
        import time

        times = time_in_turn({"fast": lambda: None, "slow": lambda: time.sleep(0.002)}, 1, 10)
        assert np.median(times["slow"]) > 1.9 > np.median(times["fast"])

    def test_latency_of_known_times(self):
        found = latency(np.arange(1.0, 102.0))
        assert (found.p50_ms, found.p95_ms, found.mean_ms, found.n, found.least_ms) == (51, 96, 51, 101, 1)


class TestPeak:
    def test_the_child_measures_itself_and_not_its_parent(self, report):
        ballast = np.ones(400 * 2**20 // 8)  # a parent far larger than the child
        found = measure_peak(report.path, runs=2)
        assert found.gpu_bytes is None
        assert 20 * 2**20 < found.libraries_bytes < found.peak_bytes < ballast.nbytes
        assert found.model_bytes >= report.size_bytes / 2

    def test_the_onnx_child_needs_no_torch(self, report):
        code = (
            "import sys; from pathlib import Path; from nbhelpers.export.peak import _measure_here; "
            f"_measure_here(Path({str(report.path)!r}), 'cpu', 1, 1); print('torch' in sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "False"

    def test_a_failing_child_is_reported(self, tmp_path):
        with pytest.raises(Unavailable, match=r"exit 2.*there is no such file"):
            measure_peak(tmp_path / "no.onnx")


@pytest.fixture(scope="module")
def rows(student, report, int8, labelled):
    engines = {
        "torch": TorchEngine(student),
        "onnx": open_engine(report.path, threads=1),
        "int8": open_engine(int8.path, threads=1),
    }
    return compare(engines, labelled, warmup=1, runs=8, memory=False)


class TestCompare:
    def test_a_row_per_engine(self, rows):
        assert [(row.name, row.engine, row.precision) for row in rows] == [
            ("torch", "torch", "float32"),
            ("onnx", "onnx", "float32"),
            ("int8", "onnx", "int8-static"),
        ]
        assert rows[0].size_bytes is None
        assert rows[2].size_bytes < rows[1].size_bytes

    def test_torch_differs_by_nothing_from_itself_and_onnx_by_little(self, rows):
        assert rows[0].max_difference == 0.0
        assert 0 < rows[1].max_difference < 1e-3
        assert rows[2].max_difference > rows[1].max_difference

    def test_equal_outputs_have_equal_ap(self, rows):
        assert rows[0].accuracy.box_ap == pytest.approx(rows[1].accuracy.box_ap, abs=1e-3)
        assert rows[0].accuracy.box_ap > 0.3  # the labels are the student's own finds

    def test_times_are_there(self, rows):
        for row in rows:
            assert row.network.n == row.whole.n == len(row.times_ms) == 8
            assert 0 < row.network.p50_ms <= row.network.p95_ms
            assert row.whole.p50_ms > 0

    def test_the_table_is_plain(self, rows):
        table = [row.to_row() for row in rows]
        assert len({tuple(row) for row in table}) == 1
        assert "network p50 ms" in table[0]
        to_json(table)

    def test_memory_is_measured_for_files_only(self, student, report, labelled):
        engines = {"torch": TorchEngine(student), "onnx": open_engine(report.path, threads=1)}
        found = compare(engines, labelled.subset(labelled.image_ids[:1]), warmup=0, runs=1, threads=1)
        assert found[0].memory is None
        assert isinstance(found[1].memory, PeakMemory)

    def test_without_torch_a_reference_is_named(self, report, labelled):
        engines = {"onnx": open_engine(report.path, threads=1)}
        with pytest.raises(BadInput, match="no engine of torch among onnx"):
            compare(engines, labelled)
        found = compare(engines, labelled, reference="onnx", warmup=0, runs=1, memory=False)
        assert found[0].max_difference == 0.0

    def test_nothing_to_compare(self, report, labelled):
        with pytest.raises(BadInput, match="at least one engine"):
            compare({}, labelled)
        with pytest.raises(BadInput, match="one labelled image"):
            compare({"onnx": open_engine(report.path)}, labelled.subset([]))


def row(name, engine, precision, times_ms, ap):
    accuracy = Accuracy(ap, ap, ap, ap, 6, 40)
    times = np.asarray(times_ms, float)
    return SimpleNamespace(name=name, engine=engine, precision=precision, times_ms=times, accuracy=accuracy)


class TestVerdict:
    @pytest.fixture
    def known(self):
        return [
            row("torch", "torch", "float32", [30, 32, 31], 0.41),
            row("onnx", "onnx", "float32", [16, 20, 18], 0.410),
            row("fp16", "onnx", "float16", [15, 16, 17], 0.410),
            row("int8", "onnx", "int8-static", [9, 10, 10], 0.404),
        ]

    def test_known_ratios(self, known):
        found = int8_verdict(known)
        assert (found.int8_vs_onnx, found.int8_vs_torch) == (1.8, 3.1)
        assert found.ap_loss_points == pytest.approx(0.6)
        assert found.int8_vs_onnx_interval[0] <= 1.8 <= found.int8_vs_onnx_interval[1]

    def test_kept(self, known):
        checks = int8_verdict(known).checks(support=Choice("yes", "vnni"))
        assert [check.name for check in checks] == ["int8_vs_onnx", "int8_vs_torch", "int8_ap_loss_points"]
        assert [check.ok for check in checks] == [True, True, True]
        assert checks[0].bar.startswith(">= 1.5 (95 % interval ")
        assert checks[2].bar == "<= 1"

    def test_broken(self, known):
        known[3] = row("int8", "onnx", "int8-static", [13, 13, 13], 0.38)
        checks = int8_verdict(known).checks(support=Choice("yes", "vnni"))
        assert [check.ok for check in checks] == [True, False, False]  # 1.38, but the interval ends at 1.54
        known[3] = row("int8", "onnx", "int8-static", [14, 14, 14], 0.38)
        assert not int8_verdict(known).checks(support=Choice("yes", "vnni"))[0].ok

    def test_a_processor_without_dot_products_is_only_reported(self, known):
        known[3] = row("int8", "onnx", "int8-static", [30, 30, 30], 0.41)
        checks = int8_verdict(known).checks(support=Choice("no", "the processor has none"))
        assert [check.ok for check in checks] == [True, True, True]
        assert checks[0].value == 0.6
        assert checks[0].bar.endswith("but the processor has none")

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("flags\t\t: fpu avx2 avx512_vnni amx_int8\n", "yes"),
            ("Features\t: fp asimd asimddp\n", "yes"),
            ("flags : fpu sse4_2 avx2\nmodel name : avx512_vnni\n", "no"),
        ],
    )
    def test_the_processor_is_asked(self, tmp_path, text, value):
        (tmp_path / "cpuinfo").write_text(text)
        assert int8_support(tmp_path / "cpuinfo").value == value

    def test_other_systems_do_not_say(self, tmp_path):
        assert int8_support(tmp_path / "none").value == "unknown"

    def test_missing(self, known):
        with pytest.raises(BadInput, match="no row onnx int8-static among torch, onnx, fp16"):
            int8_verdict(known[:3])
        with pytest.raises(BadInput, match="no row mine"):
            int8_verdict(known, int8="mine")

    def test_intervals_shrink_to_a_constant_ratio(self):
        fast = np.array([1.0, 2.0, 5.0, 3.0])
        assert ratio_interval(2 * fast, fast) == (2.0, 2.0)  # pairs are kept together


def candidate(name, loss, p50_ms):
    return CandidateRow(name, QuantizeSettings(), Accuracy(0, 0, 0, 0, 1, 1), loss, p50_ms, 20 / p50_ms, 1)


class TestSearch:
    base = CandidateRow("float32", None, Accuracy(0, 0, 0, 0, 1, 1), 0.0, 20.0, 1.0, 1)

    def test_the_fastest_within_the_loss(self):
        rows = [self.base, candidate("slow", 0.0, 16), candidate("fast", 0.8, 10), candidate("bad", 30, 8)]
        assert choose(rows, 1.0).value == "fast"

    def test_times_within_five_per_cent_are_equal(self):
        rows = [self.base, candidate("first", 0.9, 10.0), candidate("second", 0.1, 10.4)]
        assert choose(rows, 1.0).value == "second"

    def test_none_within_the_loss(self):
        rows = [self.base, candidate("a", 3.0, 8), candidate("b", 2.0, 16)]
        chosen = choose(rows, 1.0)
        assert chosen.value == "b"
        assert chosen.reason.startswith("none of 2 loses at most 1 AP points")

    @pytest.mark.slow
    def test_quantising_everything_is_never_kept(self, report, photos, labelled, tmp_path):
        candidates = {"everything": QuantizeSettings(keep_float="none"), "flow": QuantizeSettings()}
        found = quantize_best(
            report.path, tmp_path / "best.onnx", photos, labelled, candidates=candidates, runs=3
        )
        assert found.choice.value == "flow"
        assert [made.name for made in found.rows] == ["float32", "everything", "flow"]
        assert found.rows[1].ap_loss_points > found.rows[2].ap_loss_points
        assert [path.name for path in tmp_path.iterdir()] == ["best.onnx"]
        assert open_engine(found.path).card.notes["keep_float"] == "decoding"
        assert found.settings == QuantizeSettings()

    def test_nothing_to_try(self, report, labelled, photos, tmp_path):
        with pytest.raises(BadInput, match="at least one candidate"):
            quantize_best(report.path, tmp_path / "x.onnx", photos, labelled, candidates={})


class TestFigure:
    def test_a_point_per_engine(self, rows, tmp_path):
        figure = plot_speed_accuracy(rows)
        axis = figure.axes[0]
        assert len(axis.collections) == 3
        offsets = [tuple(points.get_offsets()[0]) for points in axis.collections]
        for (x, y), made in zip(offsets, rows, strict=True):
            assert x == pytest.approx(made.network.p50_ms)
            assert y == pytest.approx(100 * made.accuracy.ap)
        assert axis.get_xlim()[0] == 0

    def test_nothing_to_plot(self):
        with pytest.raises(BadInput, match="no rows"):
            plot_speed_accuracy([])


def test_importing_the_room_is_light():
    code = (
        "import sys, nbhelpers.export; "
        "print([name for name in ('torch', 'onnx', 'onnxruntime', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_can_be_had():
    import nbhelpers.export as room

    for name in room.__all__:
        assert getattr(room, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = room.nothing
