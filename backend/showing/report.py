"""A run's report: one HTML file that opens anywhere, without a server and without a network."""

import base64
import html
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.showing.charts import histogram, line_chart
from backend.showing.curves import LOSS, thinned
from backend.showing.report_data import Example, Report, gather
from backend.showing.typefaces import embedded

if TYPE_CHECKING:
    from backend.workspace import Workspace

STYLE = Path(__file__).parent / "report.css"
# Nothing may be asked of anyone, wherever the file is opened.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"
PARTS = {"predictions": "Predictions", "labels": "Proxy labels", "maps": "Attention maps"}
SCORES = {
    "IoU": "Mean IoU with the true mask",
    "SC": "Coarse score SC",
    "SF": "Fine score SF",
    "AC": "Boundary accuracy AC",
    "score": "Score",
}
VERDICTS = {"accept": "accepted", "fix": "fixed", "reject": "rejected", "skip": "skipped"}
NOTES = 5


def make_report(workspace: "Workspace", run: str | int) -> bytes:
    """The report of a run, by its number, or by its name or folder as text. Raises DataError where
    there is none."""
    return render(gather(workspace, run)).encode()


def render(report: Report) -> str:
    """The page. Everything in it that came from outside is escaped."""
    body = "\n".join(
        part
        for part in (
            _head(report),
            _figures(report),
            _curves(report),
            _classes(report),
            _scores(report),
            _examples(report),
            _table_section("Settings", report.settings, "No settings were kept."),
            _table_section("Provenance", report.provenance, "Nothing was kept about its making."),
            _foot(report),
        )
        if part
    )
    faces = embedded([body])
    title = html.escape(f"{report.title} · Tagmask report")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{title}</title>\n<style>{faces}\n{STYLE.read_text(encoding='utf-8')}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _head(report: Report) -> str:
    facts = {"Recipe": report.recipe, **report.facts, "Workspace": report.workspace}
    rows = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(value)}</dd></div>"
        for name, value in facts.items()
        if value
    )
    return f"<header><h1>{_text(report.title)}</h1><dl>{rows}</dl></header>"


def _figures(report: Report) -> str:
    """The few numbers that one looks for first, then everything the run said of itself."""
    cards = []
    for part, told in report.evaluation.items():
        of = "" if told.get("of") in (None, "all") else f", list {told['of']}"
        cards.append((f"{told['miou']:.1f}", f"mIoU of {PARTS[part].lower()}{of}", "%"))
    if report.masks:
        cards.append((f"{report.masks:,}", "masks offered", ""))
    decided = {VERDICTS[name]: n for name, n in report.verdicts.items() if name in VERDICTS}
    cards += [(f"{n:,}", f"{name} by reviewers", "") for name, n in decided.items()]
    said = "".join(
        f"<li><b>{value}<small>{unit}</small></b><span>{_text(name)}</span></li>"
        for value, name, unit in cards
    )
    table = _table({_words(name): value for name, value in report.metrics.items()})
    if not cards and not report.metrics:
        return _section("Metrics", "<p>This run measured nothing.</p>")
    return _section("Metrics", (f'<ul class="cards">{said}</ul>' if said else "") + table)


def _curves(report: Report) -> str:
    curves = report.curves
    losses = {_words(name): thinned(points) for name, points in _loss_first(curves.losses)}
    looks = {name: thinned(points) for name, points in curves.looks.items()}
    drawn = []
    if losses:
        drawn.append(_chart("Loss over steps", line_chart(losses, "Loss over steps"), losses))
    if looks:
        label = "What looks at the network found, over steps"
        drawn.append(_chart(label, line_chart(looks, label, "%"), looks))
    return _section("Curves", f'<div class="charts">{"".join(drawn)}</div>') if drawn else ""


def _loss_first(losses: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(losses.items(), key=lambda item: item[0] != LOSS)


def _classes(report: Report) -> str:
    """IoU by class of the first thing that was measured, with bars in the classes' own colours."""
    if not report.evaluation:
        return ""
    part, told = next(iter(report.evaluation.items()))
    rows = []
    for name, value in sorted(told["iou"].items(), key=lambda item: -item[1]):
        colour = report.colours.get(name, "var(--faint)")
        rows.append(
            f'<tr><th scope="row">{_text(name)}</th><td class="bar"><i style="width:'
            f'{min(max(value, 0), 100):.1f}%;background:{_text(colour)}"></i></td>'
            f'<td class="number">{value:.1f}</td></tr>'
        )
    note = f"{PARTS[part]}, {told['images']:,} images with a true mask; IoU in per cent."
    return _section(
        "By class",
        f'<p>{_text(note)}</p><table class="classes"><tbody>{"".join(rows)}</tbody></table>',
    )


def _scores(report: Report) -> str:
    known = [name for name in SCORES if report.scores.get(name)]
    if not known:
        return ""
    drawn = []
    for name in known[:4]:
        values = report.scores[name]
        label = f"{SCORES[name]}, {len(values):,} masks"
        drawn.append(_chart(label, histogram(values, label), {}))
    return _section("Scores", f'<div class="charts">{"".join(drawn)}</div>')


def _examples(report: Report) -> str:
    if not report.best and not report.worst:
        why = (
            "None of this run's masks has a score or a true mask to be ranked by."
            if report.masks
            else "This run left no masks."
        )
        return _section("Best and worst images", f"<p>{why}</p>")
    by = SCORES[report.ranked_by].lower() if report.ranked_by != "IoU" else "mean IoU"
    parts = [f"<p>Ranked by {_text(by)} over {report.masks:,} masks.</p>"]
    for title, some in (("Best", report.best), ("Worst", report.worst)):
        if some:
            cells = "".join(_example(each, report.ranked_by) for each in some)
            parts.append(f'<h3>{title}</h3><div class="examples">{cells}</div>')
    classes = {k: v for each in (*report.best, *report.worst) for k, v in each.classes.items()}
    swatches = "".join(
        f'<span><i style="background:{_text(colour)}"></i>{_text(name)}</span>'
        for name, colour in sorted(classes.items())
    )
    parts.append(f'<p class="legend">{swatches}</p>')
    notes = [*report.notes[:NOTES]]
    if len(report.notes) > NOTES:
        notes.append(f"{len(report.notes) - NOTES} more likewise.")
    parts += [f'<p class="note">{_text(note)}</p>' for note in notes]
    return _section("Best and worst images", "".join(parts))


def _example(example: Example, ranked_by: str) -> str:
    shown = f"{100 * example.value:.1f}%" if ranked_by == "IoU" else f"{example.value:.2f}"
    pictures = _picture(example.mask, f"{example.name} with the run's mask", "mask")
    if example.truth is not None:
        pictures += _picture(example.truth, f"{example.name} with its true mask", "truth")
    return (
        f'<figure><div class="pair">{pictures}</div>'
        f"<figcaption><span>{_text(example.name)}</span><b>{shown}</b></figcaption></figure>"
    )


def _picture(data: bytes, said: str, tag: str) -> str:
    source = f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
    return f'<span><img src="{source}" alt="{_text(said)}"><em>{tag}</em></span>'


def _chart(title: str, svg: str, lines: Mapping[str, Any]) -> str:
    legend = "".join(
        f'<span><i style="background:var(--line-{at % 6 + 1})"></i>{_text(name)}</span>'
        for at, name in enumerate(lines)
    )
    return (
        f'<figure class="chart"><figcaption>{_text(title)}</figcaption>{svg}'
        + (f'<p class="legend">{legend}</p>' if len(lines) > 1 else "")
        + "</figure>"
    )


def _table_section(title: str, values: Mapping[str, Any], nothing: str) -> str:
    return _section(title, _table(_flat(values)) if values else f"<p>{nothing}</p>")


def _table(values: Mapping[str, Any]) -> str:
    if not values:
        return ""
    rows = "".join(
        f"<div><dt>{_text(name)}</dt><dd>{_text(_shown(value))}</dd></div>"
        for name, value in values.items()
    )
    return f'<dl class="plain">{rows}</dl>'


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Nested objects as one table: `attention.settings.epochs`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None or value in ("", [], {}):
        return "–"
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return ", ".join(_shown(each) for each in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _words(name: str) -> str:
    return name.replace("_", " ")


def _foot(report: Report) -> str:
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"<footer>Made by Tagmask on {made}. This file asks nothing of any server.</footer>"


def _section(title: str, body: str) -> str:
    return f"<section><h2>{_text(title)}</h2>{body}</section>"


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)
