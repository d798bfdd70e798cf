"""How the listing of a folder looks: its style sheet, and its pictures as symbols that the lines refer to."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1c2430; --faint: #667085; --line: #e6e9ee; --hover: #f0f5fd;
  --link: #1d4fbf; --folder: #e0a128; --accent: #5b7bb5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2029; --text: #e4e9f0; --faint: #93a0b3; --line: #29313d; --hover: #222b38;
    --link: #8db8ff; --folder: #e5b454; --accent: #7f9cd0;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 3rem; }
h1 { margin: 0 .25rem 1.1rem; font-size: 1.3rem; font-weight: 400; overflow-wrap: anywhere; }
h1 b { font-weight: 650; }
h1 i { margin: 0 .45em; color: var(--faint); font-style: normal; }
h1 svg { width: 22px; height: 22px; margin-right: .4rem; vertical-align: -4px; }
a { color: var(--link); text-decoration: none; }
a:hover bdi, th a:hover { text-decoration: underline; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: -2px; border-radius: 6px; }
table {
  width: 100%; border-collapse: separate; border-spacing: 0; overflow: hidden;
  background: var(--card); border: 1px solid var(--line); border-radius: 12px;
}
th { padding: .6rem 1rem; text-align: left; font-size: .85rem; font-weight: 600; }
th a { color: var(--faint); }
th[aria-sort] a { color: var(--text); }
th i { margin-left: .35em; font-style: normal; }
td { border-top: 1px solid var(--line); padding: 0 1rem; }
td:first-child { width: 100%; padding: 0; }
td a { display: flex; gap: .7rem; align-items: center; padding: .5rem 1rem; overflow-wrap: anywhere; }
tbody tr:hover { background: var(--hover); }
.size, .date { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
td.size, td.date { color: var(--faint); }
svg { flex: none; width: 20px; height: 20px; color: var(--accent); }
symbol { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; }
#folder { fill: var(--folder); stroke: none; }
.note, footer { margin: 1rem .25rem 0; color: var(--faint); font-size: .85rem; }
@media (max-width: 36rem) {
  main { padding: 1.2rem .6rem 2rem; }
  table, thead, tbody { display: block; }
  tr { display: grid; grid-template-columns: 1fr auto; }
  thead tr { grid-template-columns: 1fr auto auto; }
  tbody tr { border-top: 1px solid var(--line); padding: .3rem 0; }
  td { border: 0; }
  td:first-child { grid-column: 1 / -1; }
  td a { padding-bottom: .2rem; }
  td.size, td.date { padding-bottom: .4rem; font-size: .85rem; }
  td.size { padding-left: 2.95rem; text-align: left; }
  td:empty { display: none; }
  td.date { grid-column: 2; }
  td:empty + td.date { grid-column: 1; padding-left: 2.95rem; text-align: left; }
}
"""

_SHEET = "M6 3.5h8l4.5 4.5v12.5H6zM14 3.5V8h4.5"

# Each picture is the outline of a path, on a field of 24 by 24.
_SHAPES = {
    "folder": "M3 7c0-1.2.8-2 2-2h4.3l2.2 2.3H19c1.2 0 2 .8 2 2v8c0 1.2-.8 2-2 2H5c-1.2 0-2-.8-2-2z",
    "file": _SHEET,
    "text": _SHEET + "M9 12h6.5M9 15h6.5M9 18h4",
    "picture": "M4 5h16v14H4zM9 8.5a1.5 1.5 0 1 1-.1 0M4.5 18l5-4 3 2 3.5-4 4 4.5",
    "sound": "M9.5 17.5V6l9-2v11.5M7 15a2.5 2.5 0 1 1-.1 0M16 13a2.5 2.5 0 1 1-.1 0",
    "film": "M4 5.5h16v13H4zM10.5 9.5l4 2.5-4 2.5z",
    "pack": "M4.5 8 12 4l7.5 4v8L12 20l-7.5-4zM4.5 8l7.5 4 7.5-4M12 12v8",
    "up": "M7 19h10V6M12.5 10 17 5.5l4.5 4.5",
    "home": "M3.5 11.5l8.5-7 8.5 7M6 10v9.5h4.5v-5h3v5H18V10",
}

ICONS = "".join(
    [
        '<svg style="display:none">',
        *(f'<symbol id="{name}" viewBox="0 0 24 24"><path d="{path}"/></symbol>' for name, path in _SHAPES.items()),
        "</svg>",
    ]
)
