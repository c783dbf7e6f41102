"""The translator: characteristics and environment to rules, and overlapping rules to one each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from nbhelpers.data.augment.conditions import Conditions
from nbhelpers.data.augment.table import ORDER, PART_OF, TABLE, WHAT_IT_DOES

# Share of a rule's full strength and of its full probability.
STRENGTH = {"low": 0.4, "medium": 0.7, "high": 1.0}
LIKELIHOOD = {"low": 0.5, "medium": 0.75, "high": 1.0}


@dataclass(frozen=True)
class Rule:
    """One transform to be applied.

    Attributes:
        transform: one of `table.ORDER`.
        strength: 0..1; what 1 means for each transform is said in `transforms.py`.
        probability: that it is applied to an image, 0..1.
        asked_by: the words that asked for it, such as `camera: shaky`.
        reason: why they did.
    """

    transform: str
    strength: float
    probability: float
    asked_by: str
    reason: str


@dataclass(frozen=True)
class Rules:
    """What is applied, in this order, and what was decided on the way there.

    Attributes:
        rules: one per transform, in the order of the pipeline.
        notes: which of two overlapping rules won, and words that ask for nothing.
    """

    rules: tuple[Rule, ...]
    notes: tuple[str, ...]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)


def rules_for(conditions: Conditions) -> Rules:
    """Translate conditions to rules; of two that ask for one transform the stronger one wins.

    The winner takes the higher of both probabilities. A transform that is part of another one that is asked
    for too (`zoom_in` of `zoom`) joins it.
    """
    asked, notes = [], []
    for word in _words(conditions):
        rows = TABLE[word]
        if not rows:
            notes.append(f"{word}: asks for nothing")
        asked += [_rule(word, row, conditions.intensity) for row in rows]
    chosen: dict[str, Rule] = {}
    kinds = {rule.transform for rule in asked}
    for rule in asked:
        kind = PART_OF.get(rule.transform, rule.transform)
        rule = replace(rule, transform=kind) if kind in kinds else rule
        before = chosen.get(rule.transform)
        chosen[rule.transform] = _stronger(before, rule) if before else rule
        if before:
            notes.append(_note(before, rule))
    ordered = tuple(chosen[kind] for kind in ORDER if kind in chosen)
    return Rules(ordered, tuple(notes))


def _words(conditions: Conditions) -> list[str]:
    return [
        *conditions.characteristics,
        *(f"{key}: {value}" for key, value in conditions.environment.items()),
    ]


def _rule(word: str, row: tuple[str, float, float, str], intensity: str) -> Rule:
    kind, strength, probability, reason = row
    strength, probability = strength * STRENGTH[intensity], probability * LIKELIHOOD[intensity]
    return Rule(kind, round(strength, 3), round(probability, 3), word, reason)


def _stronger(one: Rule, other: Rule) -> Rule:
    winner = other if other.strength > one.strength else one
    return replace(winner, probability=max(one.probability, other.probability))


def _note(one: Rule, other: Rule) -> str:
    winner, loser = (other, one) if other.strength > one.strength else (one, other)
    word = "as strong as" if winner.strength == loser.strength else "over"
    strengths = f"{winner.asked_by} ({winner.strength:g}) {word} {loser.asked_by} ({loser.strength:g})"
    return f"{one.transform}: {strengths}, probability {max(one.probability, other.probability):g}"


def pipeline_info(conditions: Conditions) -> list[dict[str, Any]]:
    """What an augmenter of these conditions will do, before it is built.

    Returns:
        One row per transform in the order they run: `step`, `transform`, `does`, `strength` 0..1,
        `probability` 0..1, `asked_by`, `reason`.
    """
    return [
        {
            "step": step,
            "transform": rule.transform,
            "does": WHAT_IT_DOES[rule.transform],
            "strength": rule.strength,
            "probability": rule.probability,
            "asked_by": rule.asked_by,
            "reason": rule.reason,
        }
        for step, rule in enumerate(rules_for(conditions), start=1)
    ]
