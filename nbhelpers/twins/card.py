"""A twin's card: `README.md` beside its weights, as the Hugging Face hub reads it."""

from typing import Any

import yaml

from nbhelpers.artifacts import Check, Metric
from nbhelpers.runtime import size_text
from nbhelpers.twins.recipe import Recipe
from nbhelpers.twins.report import TwinReport

LICENCE = "apache-2.0"
_PIPELINES = {
    "GroundingDinoForObjectDetection": "zero-shot-object-detection",
    "SamModel": "mask-generation",
    "Qwen2_5_VLForConditionalGeneration": "image-text-to-text",
    "Gemma3ForConditionalGeneration": "image-text-to-text",
    "Qwen2ForCausalLM": "text-generation",
}


def write_card(recipe: Recipe, report: TwinReport) -> str:
    """The whole card: front matter, abilities and their limits, numbers, how it was made, licence."""
    parts = [
        _front_matter(recipe),
        f"# tiny/{recipe.name}",
        recipe.summary,
        "A stand-in of a few megabytes for the real model of the same class: same code, same files, a small "
        "drawn world. It is for trying things out on a CPU, not for photographs.",
        _list("What it can", recipe.can),
        _list("What it cannot", recipe.cannot),
        _numbers(report),
        _making(recipe, report),
        recipe.notes.strip(),
        "## Licence\n\nApache-2.0: weights, tokenizer and drawn data are made by this project.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(recipe: Recipe) -> str:
    fields: dict[str, Any] = {"license": LICENCE, "library_name": "transformers"}
    if recipe.model_class in _PIPELINES:
        fields["pipeline_tag"] = _PIPELINES[recipe.model_class]
    fields["tags"] = ["nbhelpers", "tiny", "synthetic-data"]
    return f"---\n{yaml.safe_dump(fields, sort_keys=False)}---"


def _list(title: str, sentences: tuple[str, ...]) -> str:
    return "\n".join([f"## {title}\n", *(f"- {sentence}" for sentence in sentences)]) if sentences else ""


def _numbers(report: TwinReport) -> str:
    rows = [[name, *metric_cells(metric)] for name, metric in report.evaluation.metrics.items()]
    checks = [[check.name, *check_cells(check)] for check in report.evaluation.checks]
    head = "## Numbers\n\nOn drawn data held out from training; intervals at 95 %."
    metrics = _table(("measure", "value", "interval", "n"), rows)
    bars = _table(("check", "value", "bar", "met"), checks) if checks else ""
    return "\n\n".join(filter(None, [head, metrics, bars]))


def _making(recipe: Recipe, report: TwinReport) -> str:
    rows = [
        ["class", f"`{recipe.model_class}` of transformers"],
        ["parameters", f"{report.parameters:,}"],
        ["weights", f"{size_text(report.weight_bytes)}, safetensors"],
        ["training", f"{report.processor_s / 60:.1f} processor minutes, {report.seconds:.0f} s on the clock"],
        ["threads", str(report.threads)],
        ["seed of data and weights", str(report.seed)],
        ["made by", f"`nbhelpers twins train {recipe.name} --seed {report.seed}`"],
        ["versions", ", ".join(f"{name} {version}" for name, version in report.versions.items())],
    ]
    return "## How it was made\n\n" + _table(("", ""), rows)


def metric_cells(metric: Metric) -> list[str]:
    """Value with unit, interval and n of one measure, as text."""
    unit = f" {metric.unit}" if metric.unit else ""
    if metric.low is None or metric.high is None:
        return [_text(metric.value) + unit, "", str(metric.n)]
    return [_text(metric.value) + unit, f"{_text(metric.low)} to {_text(metric.high)}", str(metric.n)]


def check_cells(check: Check) -> list[str]:
    """Value, bar and verdict of one check, as text."""
    return [_text(check.value), check.bar, "yes" if check.ok else "no"]


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "n/a" if value is None else str(value)


def _table(head: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
