"""The frame of a page: one HTML file with everything in it, tables, downloads, and what its scripts may do."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from cluster_qc.errors import InputError
from cluster_qc.files import storage_errors
from cluster_qc.report.values import plain

PLOTLY, MOLECULES, OWN = "plotly-basic.min.js", "3Dmol-min.js", "page.js"
_LICENCES = {PLOTLY: "plotly-basic.LICENSE", MOLECULES: "3Dmol.LICENSE"}
_BLACKOUT = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def write_document(
    path: str | Path, title: str, body: str, data: Mapping[str, Any], scripts: Sequence[str]
) -> None:
    """Write a page that fetches nothing; its policy lets the browser run these scripts alone.

    Parameters
    ----------
    path
        HTML file to write.
    title
        Plain text.
    body
        HTML.
    data
        What page.js draws, as JSON values.
    scripts
        Names of files in `static`, run in this order.

    Raises
    ------
    StorageError
        If the page cannot be written.
    """
    static = files("cluster_qc.report") / "static"
    sources = [(static / name).read_text(encoding="utf-8") for name in scripts]
    digests = [base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in sources]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
    html = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(title)}</title><style>{(static / 'page.css').read_text(encoding='utf-8')}</style></head>\n"
        f"<body>\n{body}\n{_licences(static, scripts)}\n"
        f'<script type="application/json" id="page-data">{script_json(data)}</script>\n'
        + "".join(f"<script>{source}</script>\n" for source in sources)
        + "</body></html>\n"
    )
    with storage_errors(path):
        Path(path).write_text(html, encoding="utf-8")


def _licences(static: Traversable, scripts: Sequence[str]) -> str:
    """Give the licences that the libraries ask to travel with them."""
    texts = [(static / _LICENCES[name]).read_text(encoding="utf-8") for name in scripts if name in _LICENCES]
    return (
        "<footer><details><summary>Licences of plotly.js and 3Dmol.js, which draw this page</summary>"
        f"<pre>{escape(chr(10).join(texts))}</pre></details></footer>"
    )


def script_json(data: Mapping[str, Any]) -> str:
    """JSON in which no text can end the script element around it."""
    return json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_BLACKOUT)


def json_text(summary: Mapping[str, Any]) -> str:
    """A summary as summary.json holds it."""
    return json.dumps(summary, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a CSV table in full precision; a column for every key, an empty cell for what is absent."""
    stream = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(stream, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def download(name: str, content: str) -> str:
    """Write a link that saves `content`, which it holds, as a file."""
    kind = {"csv": "text/csv", "json": "application/json"}.get(name.rpartition(".")[2], "text/plain")
    data = base64.b64encode(content.encode()).decode()
    return f'<a download="{escape(name)}" href="data:{kind};charset=utf-8;base64,{data}">{escape(name)}</a>'


def downloads(contents: Mapping[str, str]) -> str:
    """Write a row of links that save these files."""
    return (
        f'<p class="downloads">{" ".join(download(*item) for item in contents.items())}</p>'
        if contents
        else ""
    )


def read_table(path: Path) -> tuple[str, list[dict[str, float]]]:
    """Read a curve that a run has written: its text, and its rows by column name.

    Raises
    ------
    InputError
        If it is no such file.
    """
    with storage_errors(path, reading=True):
        text = path.read_bytes()
    try:
        content = text.decode()
        lines = [line for line in content.splitlines() if not line.startswith("#")]
        rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(lines)]
    except (ValueError, TypeError, AttributeError) as exc:
        raise InputError(f"{path} is no table of numbers: {exc}", fix="run the same command again") from exc
    return content, rows


@dataclass(frozen=True)
class Section:
    """A part of a page that the navigation leads to."""

    identifier: str
    short: str
    """Its name in the navigation."""
    title: str
    content: str
    """HTML; a section without any is left out."""

    def html(self) -> str:
        """Write it with its heading."""
        return f'<section id="{self.identifier}"><h2>{escape(self.title)}</h2>{self.content}</section>'


def with_navigation(sections: Iterable[Section], first: str = "") -> str:
    """Write the sections that have content, after links to them and what comes `first`."""
    shown = [section for section in sections if section.content]
    links = "".join(f'<a href="#{section.identifier}">{escape(section.short)}</a>' for section in shown)
    return (
        f'<nav aria-label="Sections">{links}</nav>\n<main>{first}\n'
        + "\n".join(section.html() for section in shown)
        + "\n</main>"
    )


def warning_box(texts: Sequence[str]) -> str:
    """Write what a reader must know first."""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return (
        f'<div class="warnings" role="alert"><strong>Warnings</strong><ul>{items}</ul></div>' if items else ""
    )


def chart(name: str, label: str) -> str:
    """Write the place of a chart that page.js draws; `label` says what it is to those who do not see it."""
    return f'<div class="chart" id="chart-{name}" role="img" aria-label="{escape(label)}"></div>'


def axis_buttons() -> str:
    """Write the choice between wavelength and energy for all spectra of the page."""
    return (
        '<div class="buttons scripted" role="group" aria-label="Horizontal axis">'
        '<button type="button" data-axis="nm" aria-pressed="true">nm</button>'
        '<button type="button" data-axis="ev" aria-pressed="false">eV</button></div>'
    )


def pairs(mapping: Mapping[str, Any]) -> str:
    """Write a table of names and values, and one for each mapping inside."""
    single = {key: value for key, value in mapping.items() if not (isinstance(value, Mapping) and value)}
    body = "".join(
        f'<tr><th scope="row">{escape(str(key))}</th><td class="text">{escape(plain(value))}</td></tr>'
        for key, value in single.items()
    )
    html = f'<div><table class="pairs">{body}</table></div>' if body else ""
    for key, value in mapping.items():
        if key not in single:
            html += f"<div><h3>{escape(str(key))}</h3>{pairs(value)}</div>"
    return f'<div class="columns">{html}</div>'


def breakable(text: str) -> str:
    """Write text that may be broken after an underscore or a dot, as HTML."""
    return escape(text).replace("_", "_<wbr>").replace(".", ".<wbr>")


def table(
    heads: Sequence[str],
    body: Sequence[Sequence[str | tuple[str, float | str | None]]],
    caption: str = "",
    style: str = "",
    identifier: str = "",
) -> str:
    """Write a table of cells that are HTML already; heads (broken as in `breakable`) and caption are plain text.

    A cell (HTML, value) is sorted by its value; a table with an identifier can be sorted.
    """
    marks = (f' class="{style}"' if style else "") + (
        f' id="{identifier}" data-sortable' if identifier else ""
    )
    top = "".join(f'<th scope="col">{breakable(head)}</th>' for head in heads)
    lines = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in body)
    remark = f'<p class="soft">{escape(caption)}</p>' if caption else ""
    return (
        f'{remark}<div class="scroll" tabindex="0"><table{marks}><thead><tr>{top}</tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _cell(cell: str | tuple[str, float | str | None]) -> str:
    if isinstance(cell, str):
        return f"<td>{cell}</td>"
    html, value = cell
    return f'<td data-v="{"" if value is None else escape(str(value))}">{html}</td>'
