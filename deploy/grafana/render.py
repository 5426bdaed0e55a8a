#!/usr/bin/env python3
"""Draws the dashboard smp-relay.json from a running Prometheus, for the documents.

    pip install matplotlib
    deploy/grafana/render.py http://127.0.0.1:9090 600 docs/dashboard.png

asks Prometheus every query of every panel over the last 600 seconds. Where panels stand, their titles, legends and units are
those of the dashboard; colours and fonts are not those of Grafana.
"""

import json
import pathlib
import re
import sys
import time
import urllib.parse
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.ticker import EngFormatter

STEP = 4
UNITS = {"s": "s", "bytes": "B", "cps": "/s"}


def ask(prometheus, kind, **parameters):
    url = f"{prometheus}/api/v1/{kind}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)["data"]["result"]


def expression(target):
    text = target["expr"].replace("$__rate_interval", "20s")
    return text.replace("$job", ".+").replace("$instance", ".+")


def legend(target, labels):
    text = target.get("legendFormat") or ""
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match.group(1), ""), text)


def formatter(panel):
    unit = panel.get("fieldConfig", {}).get("defaults", {}).get("unit", "")
    return EngFormatter(unit=UNITS.get(unit, ""), places=1, sep="")


def draw_number(axes, panel, prometheus, now):
    axes.axis("off")
    found = ask(prometheus, "query", query=expression(panel["targets"][0]), time=now)
    text = formatter(panel)(float(found[0]["value"][1])) if found else "no data"
    axes.text(0.5, 0.4, text, ha="center", va="center", fontsize=18, color="#0b5cad")


def draw_lines(axes, panel, prometheus, start, now):
    for target in panel["targets"]:
        for series in ask(prometheus, "query_range", query=expression(target), start=start, end=now, step=STEP):
            points = [(float(at) - start, float(value)) for at, value in series["values"] if value != "NaN"]
            if any(value for _, value in points):
                axes.plot(*zip(*points), linewidth=1, label=legend(target, series["metric"]))
    axes.yaxis.set_major_formatter(formatter(panel))
    axes.xaxis.set_major_formatter(EngFormatter(unit="s", sep=""))
    axes.tick_params(labelsize=6)
    axes.grid(alpha=0.3)
    axes.set_ylim(bottom=0)
    if axes.lines:
        axes.legend(fontsize=5, loc="upper left", ncols=2, framealpha=0.6)
    else:
        axes.text(0.5, 0.5, "nothing in this time", transform=axes.transAxes, ha="center", fontsize=8, color="grey")


def main():
    prometheus, seconds, output = sys.argv[1], float(sys.argv[2]), sys.argv[3]
    dashboard = json.loads((pathlib.Path(__file__).parent / "smp-relay.json").read_text())
    now = time.time()
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in dashboard["panels"])
    figure = plt.figure(figsize=(16, height / 3.4))
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        left, bottom = place["x"] / 24, 1 - (place["y"] + place["h"]) / height
        if panel["type"] == "row":
            figure.text(0.01, bottom + 0.2 / height, panel["title"], fontsize=11, weight="bold")
            continue
        axes = figure.add_axes([left + 0.025, bottom + 0.9 / height, place["w"] / 24 - 0.035, (place["h"] - 2.3) / height])
        axes.set_title(panel["title"], fontsize=8)
        if panel["type"] == "stat":
            draw_number(axes, panel, prometheus, now)
        else:
            draw_lines(axes, panel, prometheus, now - seconds, now)
    figure.savefig(output, dpi=90)


main()
