"""The one style sheet of the pages: light and dark, wide and narrow, screen and paper. No files, no scripts."""

__all__ = ["STYLE"]

_LIGHT = """
  color-scheme: light;
  --ink: #1c2530; --soft: #55626f; --faint: #8b97a3; --line: #dfe4ea; --paper: #ffffff; --ground: #f4f6f8;
  --accent: #23629e; --fill: #8db4d8; --band: #e6eff8; --cut: #c2410c; --cutband: #fdf0e7; --good: #1f7a57;
"""
_DARK = """
  color-scheme: dark;
  --ink: #e3e8ed; --soft: #a9b4bf; --faint: #7b8793; --line: #323b45; --paper: #1b2128; --ground: #12171c;
  --accent: #7ab3e6; --fill: #4b7fae; --band: #20303f; --cut: #f2955c; --cutband: #35261c; --good: #5fc29a;
"""

_HUES = {
    "t0": "#2b6a99", "t1": "#2c8068", "t2": "#54668c", "t3": "#3f86a8", "t-none": "#8a96a3",
    "s-wait": "#d64541", "s-weight": "#f39c34", "s-bank": "#8e44ad", "s-short": "#e3bd24",
    "c-program": "#8a96a3", "c-load": "#2c8068", "c-weight": "#63aacb",
}  # fmt: skip
"""Of layers in turn, stalls by cause, readers of the memory port; the same in light and dark."""

_COLORED = "\n".join(
    f".{kind} {{ background: {hue}; fill: {hue}; }} .step.{kind} {{ stroke: {hue}; }}"
    for kind, hue in _HUES.items()
)

STYLE = f"""
:root {{{_LIGHT}}}
@media screen and (prefers-color-scheme: dark) {{ :root {{{_DARK}}} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }}
body {{
  margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 72rem; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}}
h1 {{ font-size: 1.75rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; overflow-wrap: anywhere; }}
h2 {{ font-size: 1.2rem; margin: 2.4rem 0 .8rem; }}
h3 {{ font-size: 1.02rem; margin: 0; overflow-wrap: anywhere; }}
h4 {{ font-size: .82rem; font-weight: 600; margin: 0 0 .15rem; color: var(--soft); }}
p {{ margin: .4rem 0; max-width: 46rem; }}
a {{ color: var(--accent); text-decoration: none; }}
a:hover {{ text-decoration: underline; }}
.lead {{ color: var(--soft); margin: 0; max-width: none; }}
.note {{ color: var(--soft); font-size: .88rem; }}
.tiles {{ display: grid; grid-template-columns: repeat(4, 1fr); gap: .6rem; margin: 1.4rem 0; }}
.tile, .card, .panel {{ background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; }}
.tile {{ padding: .65rem .85rem; }}
.tile b {{ display: block; font-size: 1.22rem; font-weight: 600; line-height: 1.3; overflow-wrap: anywhere; }}
.tile span {{ color: var(--soft); font-size: .8rem; }}
.tile small {{ display: block; color: var(--faint); font-size: .78rem; line-height: 1.35; }}
.panel {{ padding: .9rem 1rem; }}
.scroll {{ overflow-x: auto; }}
ul.words {{ list-style: none; margin: 0; padding: 0; }}
ul.words li {{ padding: .45rem .8rem; margin: .35rem 0; background: var(--paper); border: 1px solid var(--line);
  border-left: 4px solid var(--cut); border-radius: .3rem; }}
ul.words li.calm {{ border-left-color: var(--good); }}
table {{ border-collapse: collapse; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums; }}
th {{ text-align: left; color: var(--soft); font-weight: 600; border-bottom: 1px solid var(--line); }}
th, td {{ padding: .28rem 1rem .28rem 0; vertical-align: baseline; white-space: nowrap; }}
th:last-child, td:last-child {{ padding-right: 0; }}
td {{ border-bottom: 1px solid var(--line); }}
tr:last-child td {{ border-bottom: 0; }}
.right {{ text-align: right; }}
.warn {{ color: var(--cut); font-weight: 600; }}
.card {{ padding: 1rem 1.1rem; margin: 0 0 .9rem; scroll-margin-top: .6rem; }}
.card header {{ display: flex; flex-wrap: wrap; gap: .2rem .8rem; align-items: baseline; }}
.kind {{ color: var(--faint); font-size: .85rem; }}
.decision {{ margin: .35rem 0 0; max-width: none; }}
.decision i {{ font-style: normal; color: var(--soft); }}
.charts {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(14.6rem, 1fr)); gap: .8rem 1.1rem; }}
.chart {{ min-width: 0; }}
dl {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .5rem 1.1rem;
  margin: .7rem 0 .9rem; font-size: .86rem; line-height: 1.35; }}
dt {{ color: var(--faint); font-size: .78rem; }}
dd {{ margin: 0; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }}
dd i {{ font-style: normal; color: var(--soft); white-space: nowrap; }}
.meter {{ display: block; height: .35rem; max-width: 9rem; border-radius: .2rem; background: var(--line);
  overflow: hidden; margin: .25rem 0; }}
.meter span {{ display: block; height: 100%; background: var(--fill); }}
.meter.full span {{ background: var(--cut); }}
svg {{ display: block; width: 100%; height: auto; overflow: visible; }}
svg text {{ fill: var(--soft); font-size: 10.5px; font-family: inherit; font-variant-numeric: tabular-nums; }}
svg .strong {{ fill: var(--ink); font-weight: 600; }}
svg .line {{ stroke: var(--line); fill: none; }}
svg .base {{ stroke: var(--faint); fill: none; }}
svg .bar {{ fill: var(--fill); }}
svg .over {{ fill: var(--cut); }}
svg .band {{ fill: var(--band); }}
svg .edge {{ stroke: var(--accent); stroke-width: 1.4; fill: none; }}
svg .free {{ stroke: var(--faint); stroke-dasharray: 3 3; fill: none; }}
svg .flow {{ stroke: var(--faint); stroke-width: 1; fill: none; opacity: .7; }}
svg .trace {{ stroke: var(--fill); stroke-width: 1.5; fill: none; }}
svg .dot {{ fill: var(--paper); stroke: var(--accent); stroke-width: 1.5; }}
svg .chosen {{ fill: var(--accent); stroke: var(--accent); }}
svg .bad {{ fill: var(--cut); stroke: var(--cut); }}
svg .wire {{ stroke: var(--accent); stroke-width: 1.5; fill: none; opacity: .75; }}
svg .see {{ fill: var(--fill); fill-opacity: .45; }}
svg .hit {{ fill: transparent; }}
svg .hit:hover {{ fill: #ffffff; fill-opacity: .18; }}
svg .onbar {{ fill: #ffffff; pointer-events: none; }}
svg .heat {{ fill: #2b6a99; }}
{_COLORED}
svg .step {{ fill: none; stroke-width: 1.4; }}
.graph {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr)); gap: 0 1.6rem; }}
.figure {{ max-width: 44rem; min-width: 30rem; }}
.contents {{ display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: 1rem 0 0; font-size: .9rem; }}
.legend {{ display: flex; flex-wrap: wrap; gap: .15rem 1rem; max-width: none; margin: 0 0 .7rem; font-size: .82rem;
  color: var(--soft); }}
.legend i {{ display: inline-block; width: .7rem; height: .7rem; margin-right: .35rem; border-radius: .15rem; }}
.panel h4 {{ margin: 1rem 0 .3rem; }}
.bar-row {{ display: grid; grid-template-columns: 11rem 1fr 5.5rem; gap: .7rem; align-items: center; color: inherit;
  font-size: .84rem; line-height: 1.5; }}
.bar-row:hover {{ text-decoration: none; background: var(--band); }}
.bar-row span {{ overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }}
.bar-row b {{ display: flex; height: .8rem; }}
.bar-row b i {{ display: block; height: 100%; }}
.bar-row em {{ font-style: normal; text-align: right; font-variant-numeric: tabular-nums; }}
tr:target td, .card:target {{ background: var(--band); }}
svg a:hover .dot, svg a:focus .dot {{ stroke-width: 4; }}
footer {{ color: var(--faint); font-size: .82rem; margin-top: 2.5rem; }}
@media screen and (max-width: 52rem) {{
  body {{ padding: 1.2rem .8rem 3rem; }}
  .tiles {{ grid-template-columns: repeat(2, 1fr); }}
  .card {{ padding: .8rem; }}
  .bar-row {{ grid-template-columns: 6.5rem 1fr 4rem; gap: .45rem; font-size: .78rem; }}
}}
@media print {{
  @page {{ margin: 14mm; }}
  html {{ font-size: 10px; }}
  body {{ max-width: none; padding: 0; background: none; font-size: 1rem; }}
  .card, .tile, tr {{ break-inside: avoid; }}
  .scroll {{ overflow: visible; }}
  h2 {{ break-after: avoid; }}
  .wide svg, .figure {{ min-width: 0 !important; }}
  a {{ color: inherit; }}
  * {{ print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
}}
"""
