"""Draws the plots of the page of benchmarks from figures.csv: `make plots`. Another folder may be given."""

import csv
import os
import sys
from itertools import groupby
from xml.sax.saxutils import escape

HERE = os.path.dirname(os.path.abspath(__file__))
PICTURES = os.path.join(HERE, "..", "tutorial", "pictures")

TITLES = {
    "requests": "Requests per second, in thousands: more is better",
    "batches": "Requests per second with 16 in flight, in thousands: more is better",
    "idle": "Resident memory of an idle connection, in KB: less is better",
    "disk": "Writes of 100 B per second, in thousands: more is better",
}

# The colour of each series, on a light page and on a dark one.
COLOURS = {
    "telefile": ("#0969da", "#58a6ff"),
    "--data": ("#0969da", "#58a6ff"),
    "in memory": ("#82b7f0", "#2c5f96"),
    "no work": ("#8c959f", "#6e7681"),
    "append": ("#8c959f", "#6e7681"),
    "memcached": ("#1a7f37", "#3fb950"),
    "redis": ("#cf222e", "#f47067"),
    "redis, fsync always": ("#cf222e", "#f47067"),
}

WIDTH, LEFT, LONGEST = 720, 170, 470
BAR, STEP, HEAD, GAP = 16, 20, 76, 30


def draw(plot, rows):
    """Returns the SVG of one plot: for each load a group of bars."""
    series = list(dict.fromkeys(row["series"] for row in rows))
    largest = max(float(row["value"]) for row in rows)
    lines = [f'<text class="title" x="20" y="30">{escape(TITLES[plot])}</text>']
    y = HEAD
    for work, group in groupby(rows, key=lambda row: row["work"]):
        lines.append(f'<text x="20" y="{y - 8}">{escape(work)}</text>')
        for row in group:
            name, value = row["series"], row["value"]
            length = max(round(float(value) / largest * LONGEST), 1)
            lines.append(f'<text class="name" x="{LEFT - 8}" y="{y + 13}">{escape(name)}</text>')
            lines.append(
                f'<rect class="s{series.index(name)}" x="{LEFT}" y="{y}" width="{length}" height="{BAR}"/>'
            )
            lines.append(f'<text class="value" x="{LEFT + length + 6}" y="{y + 13}">{value}</text>')
            y += STEP
        y += GAP
    height = y - GAP + 14
    light = " ".join(f".s{n} {{ fill: {COLOURS[name][0]}; }}" for n, name in enumerate(series))
    dark = " ".join(f".s{n} {{ fill: {COLOURS[name][1]}; }}" for n, name in enumerate(series))
    head = f"""<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="{plot}-title">
<title id="{plot}-title">{escape(TITLES[plot])}</title>
<style>
text {{ font: 13px system-ui, sans-serif; fill: #1f2328; }}
.title {{ font-weight: 600; font-size: 15px; }}
.name {{ text-anchor: end; }}
.paper {{ fill: #ffffff; }}
{light}
@media (prefers-color-scheme: dark) {{
.paper {{ fill: #161b22; }}
text {{ fill: #e6edf3; }}
{dark}
}}
</style>
<rect class="paper" width="{WIDTH}" height="{height}" rx="8"/>
"""
    return head + "\n".join(lines) + "\n</svg>\n"


def main(folder):
    with open(os.path.join(HERE, "figures.csv"), newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    os.makedirs(folder, exist_ok=True)
    for plot, group in groupby(rows, key=lambda row: row["plot"]):
        with open(os.path.join(folder, f"plot-{plot}.svg"), "w", encoding="utf-8") as file:
            file.write(draw(plot, list(group)))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else PICTURES)
