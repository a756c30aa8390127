"""The tables of the documentation, made of the results."""

from typing import Any

__all__ = ["page"]

NAMES = {"mnist": "MNIST", "fsdd": "FSDD", "ecg": "MIT-BIH"}
PICTURE = "![{name}: accuracy over imperfections of devices](../devices/{task}.png)"


def page(results: dict[str, Any]) -> str:
    """Return the part of the page that shows the results of all data sets.

    Parameters
    ----------
    results : dict
        By data set.
    """
    tasks = [task for task in NAMES if task in results]
    lines = ["| imperfection | remedy | " + " | ".join(NAMES[task] for task in tasks) + " |"]
    lines.append("|---|---|" + "---|" * len(tasks))
    for label, remedy, pick in _rows():
        cells = [" → ".join(f"{share:.1%}" for share in pick(results[task])) for task in tasks]
        lines.append(f"| {label} | {remedy} | " + " | ".join(cells) + " |")
    for task in tasks:
        lines += ["", *_task(task, results[task])]
        if task == "ecg" and "choice" in results:
            lines += ["", *_choice(results["choice"])]
    return "\n".join(lines)


def _rows() -> list[tuple[str, str, Any]]:
    """Return label, remedy and the function that picks the numbers, of each row."""

    def pair(study: str, first: str, second: str, n: int = 0) -> Any:
        return lambda result: [result[study][name]["mean"][n] for name in (first, second)]

    trained = "training with noise"
    rows: list[tuple[str, str, Any]] = [
        ("none", trained, lambda result: [result["ideal"][name] for name in TRAININGS])
    ]
    rows += [
        (f"{n} levels", trained, pair("levels", f"usual, {n}", f"noise-aware, {n}"))
        for n in (4, 8, 16)
    ]
    rows += [
        (
            f"programming noise of {share:.0%}",
            trained,
            pair("noise", f"usual, {share:g}", f"noise-aware, {share:g}"),
        )
        for share in (0.05, 0.1, 0.2)
    ]
    rows += [
        (
            f"PCM, {title} after programming",
            "compensation",
            pair("time", "no compensation", "compensation", n),
        )
        for title, n in (("20 s", 0), ("28 hours", 4), ("3 years", 7))
    ]
    rows += [
        (
            f"{share:.2g} % of the cells stuck",
            "training each chip again",
            pair("stuck", f"usual, {share / 100:g}", f"retrained, {share / 100:g}"),
        )
        for share in (0.01, 1, 10, 40, 60)
    ]
    rows.append((
        "200 chips with noise of 5 % and 1 % of the cells stuck",
        trained,
        lambda result: [result["yield"][name]["mean"][0] for name in TRAININGS],
    ))
    rows.append((
        "yield of these, at a loss of 2 points",
        trained,
        lambda result: [result["yield"][name]["yield"][0] for name in TRAININGS],
    ))
    return rows


TRAININGS = ("usual", "noise-aware")


def _task(task: str, result: dict[str, Any]) -> list[str]:
    """Return the split, the samples, the recall of each class, and the picture of a data set."""
    counts = result["samples"]
    lines = [
        f"**{NAMES[task]}.** Split: {result['split']}. {sum(counts['training']):,} samples to "
        f"train with, {sum(counts['validation']):,} to choose the epoch, {sum(counts['test']):,} "
        f"for the curves, {sum(counts['whole test']):,} for the classes. A chip is good from "
        f"{result['target']:.1%} on. {result['draws']} draws of each point, "
        f"{result['chips']} chips trained again.",
        "",
        f"| class | {' | '.join(result['class names'])} |",
        "|---|" + "---|" * len(result["class names"]),
        _row("samples in the training part", [f"{count:,}" for count in counts["training"]]),
        _row("samples in the test part", [f"{count:,}" for count in counts["whole test"]]),
    ]
    for label, scores in result["classes"].items():
        for score, name in (("recall", "recall"), ("f1", "F1")):
            lines.append(_row(f"{name}, {label}", [f"{share:.1%}" for share in scores[score][0]]))
    return [*lines, "", PICTURE.format(name=NAMES[task], task=task)]


def _choice(candidates: list[dict[str, Any]]) -> list[str]:
    """Return the candidates' scores on patients of DS1 that were held out, the best one in bold."""
    best = max(candidate["mean"] for candidate in candidates)
    lines = [
        "The settings were chosen on patients of DS1 who were held out in turn (four groups, two "
        "seeds each), by the mean recall of the classes, with `--choose`:",
        "",
        "| means that an interval is compared with | classes that train | inputs reach the outputs "
        "| learning rate | mean recall | N | S | V | F |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for candidate in candidates:
        shares = [f"{share:.1%}" for share in (candidate["mean"], *candidate["recall"])]
        if candidate["mean"] == best:
            shares[0] = f"**{shares[0]}**"
        lines.append(f"| {candidate['label']} | {' | '.join(shares)} |")
    return lines


def _row(label: str, cells: list[str]) -> str:
    return f"| {label} | " + " | ".join(cells) + " |"
