/**
 * The style of the report. Colours are those of Okabe and Ito (safe for the common kinds of colour blindness),
 * lightened for dark mode; lines differ in dash as well, so that no figure rests on colour alone.
 */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --bg: #ffffff; --panel: #f6f7f8; --ink: #1b1e22; --muted: #59616b; --rule: #dde1e6; --grid: #e8ebee;
  --accent: #0072b2; --accent-soft: #e5f1f8; --warn: #9a4600; --warn-soft: #fdf0e4;
  --s0: #3b4149; --s1: #0072b2; --s2: #d55e00; --s3: #009e73; --s4: #c2608f; --s5: #b97f00; --s6: #7458b8; --sx: #b9bec5;
  --recorded: #b3bac2; --executed: #eef1f4; --shade: rgba(27, 30, 34, 0.28);
  --decode: #cc79a7; --vae: #e69f00; --prefill: #56b4e9; --expert: #0072b2; --other: #9aa1a9;
  --refresh: #0b4f7c; --computed: #4a9fd8; --reused: #e3e8ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --bg: #14171a; --panel: #1c2024; --ink: #e7e9ec; --muted: #9fa8b3; --rule: #333a42; --grid: #272d33;
    --accent: #5cb6f2; --accent-soft: #16293a; --warn: #f3b071; --warn-soft: #33261a;
    --s0: #d3d8de; --s1: #5cb6f2; --s2: #f08a4b; --s3: #2fc79a; --s4: #e59fc5; --s5: #eebb45; --s6: #b09cf2; --sx: #5a636d;
    --recorded: #5d6771; --executed: #20262b; --shade: rgba(0, 0, 0, 0.75);
    --decode: #e59fc5; --vae: #eebb45; --prefill: #8fd0f7; --expert: #3a8fcb; --other: #737c86;
    --refresh: #8bccf7; --computed: #2f7cb3; --reused: #272d33;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--bg); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
main { max-width: 1144px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 19px; line-height: 1.3; margin: 52px 0 4px; }
h3 { font-size: 14px; margin: 20px 0 4px; font-weight: 600; overflow-wrap: anywhere; }
p { margin: 0 0 12px; max-width: 78ch; }
a { color: var(--accent); }
.sub, .note { color: var(--muted); }
.note { font-size: 13.5px; max-width: 96ch; }
.sub { overflow-wrap: anywhere; }
code, pre { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; }
pre { background: var(--panel); border: 1px solid var(--rule); border-radius: 6px; padding: 10px 12px; margin: 8px 0 16px; white-space: pre-wrap; overflow-wrap: anywhere; }
.verdict { font-size: 18px; line-height: 1.45; margin: 22px 0; padding: 12px 18px; border-left: 4px solid var(--accent); background: var(--accent-soft); max-width: none; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(158px, 1fr)); gap: 1px; border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; margin: 0; }
.tiles > div { box-shadow: 0 0 0 1px var(--rule); padding: 12px 16px; }
.tiles dt { color: var(--muted); font-size: 13px; }
.tiles dd { margin: 0; font-size: 22px; line-height: 1.3; white-space: nowrap; font-variant-numeric: tabular-nums; }
.tiles dd + dd { white-space: normal; line-height: 1.35; font-size: 13px; color: var(--muted); }
.warnings { border-left: 4px solid var(--warn); background: var(--warn-soft); padding: 12px 18px; margin: 22px 0; }
.warnings h2 { margin: 0 0 6px; font-size: 15px; color: var(--warn); }
.warnings ul { margin: 0; padding: 0; list-style: none; }
.warnings li { overflow-wrap: anywhere; }
.warnings time { color: var(--muted); font-variant-numeric: tabular-nums; }
details > summary { cursor: pointer; color: var(--accent); margin: 6px 0; }
.scroll { overflow-x: auto; margin: 8px 0 4px; background: linear-gradient(90deg, var(--bg) 40%, transparent) left / 44px 100% no-repeat local, linear-gradient(270deg, var(--bg) 40%, transparent) right / 44px 100% no-repeat local, linear-gradient(90deg, var(--shade), transparent) left / 16px 100% no-repeat scroll, linear-gradient(270deg, var(--shade), transparent) right / 16px 100% no-repeat scroll; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { padding: 5px 9px; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th { font-weight: 600; color: var(--muted); font-size: 13px; vertical-align: bottom; }
th.left, td.left, tbody th { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
tbody th { color: var(--ink); font-weight: 400; font-size: 14px; }
tr.marked td { background: var(--accent-soft); font-weight: 600; }
td.wide { white-space: normal; overflow-wrap: anywhere; }
.facts { font-size: 14px; display: grid; grid-template-columns: minmax(110px, max-content) 1fr; gap: 3px 18px; margin: 0 0 12px; }
.facts dt { color: var(--muted); overflow-wrap: anywhere; } .facts dd { margin: 0; overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); gap: 18px 28px; margin-top: 8px; }
.columns > * { min-width: 0; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; padding: 0; margin: 8px 0; font-size: 13.5px; }
.legend li { display: flex; align-items: center; gap: 7px; min-width: 0; overflow-wrap: anywhere; }
.legend .sample, .legend .key { flex: none; }
svg.sample { width: 26px; height: 10px; }
.key { width: 13px; height: 13px; border-radius: 2px; }
svg.plot { display: block; width: 100%; height: auto; overflow: visible; }
.scroll > svg.wide { min-width: 860px; }
svg text { font-family: inherit; fill: var(--ink); }
svg .tick { font-size: 11.5px; fill: var(--muted); font-variant-numeric: tabular-nums; }
svg .title { font-size: 12px; fill: var(--muted); }
svg .label { font-size: 12.5px; paint-order: stroke; stroke: var(--bg); stroke-width: 3.5px; stroke-linejoin: round; } svg .strong { font-weight: 600; }
svg .mid { text-anchor: middle; } svg .end { text-anchor: end; }
.grid { stroke: var(--grid); fill: none; } .axis { stroke: var(--muted); fill: none; }
.seam { stroke: var(--rule); fill: none; } .episode { stroke: var(--muted); fill: none; stroke-width: 1.5; }
.executed { fill: var(--executed); } .band { fill: var(--s1); opacity: 0.18; }
.line { fill: none; stroke: var(--c); stroke-width: 2; stroke-linejoin: round; }
.line.thin { stroke-width: 1.3; } .line.recorded { --c: var(--recorded); stroke-width: 3.5; }
.line.sx { stroke-width: 1; }
.dot { fill: var(--c); stroke: var(--bg); stroke-width: 1.2; }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); } .s3 { --c: var(--s3); }
.s4 { --c: var(--s4); } .s5 { --c: var(--s5); } .s6 { --c: var(--s6); } .sx { --c: var(--sx); }
.line.s2 { stroke-dasharray: 7 3; } .line.s3 { stroke-dasharray: 2.5 3; } .line.s4 { stroke-dasharray: 8 3 2 3; }
.line.s5 { stroke-dasharray: 12 3; } .line.s6 { stroke-dasharray: 4 2 1 2; }
.front { fill: none; stroke: var(--muted); stroke-dasharray: 4 4; }
.bound { stroke: var(--muted); fill: none; stroke-width: 1; }
.chosen { fill: none; stroke: var(--accent); stroke-width: 2; }
.limit { stroke: var(--warn); stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
.whisker { stroke: var(--ink); stroke-width: 1.4; fill: none; } .whisker-end { fill: var(--ink); }
.stage-decode { fill: var(--decode); } .stage-vae { fill: var(--vae); } .stage-prefill { fill: var(--prefill); }
.stage-expert { fill: var(--expert); } .stage-other { fill: var(--other); }
.key.stage-decode { background: var(--decode); } .key.stage-vae { background: var(--vae); } .key.stage-prefill { background: var(--prefill); }
.key.stage-expert { background: var(--expert); } .key.stage-other { background: var(--other); }
.cell-refresh { fill: var(--refresh); } .cell-computed { fill: var(--computed); } .cell-reused { fill: var(--reused); }
.cell-part3 { fill: var(--computed); fill-opacity: 0.75; } .cell-part2 { fill: var(--computed); fill-opacity: 0.5; } .cell-part1 { fill: var(--computed); fill-opacity: 0.28; }
.key.cell-refresh { background: var(--refresh); } .key.cell-computed { background: var(--computed); } .key.cell-reused { background: var(--reused); }
.key.cell-part2 { background: var(--computed); opacity: 0.5; }
.live, .screen, .legend .live { display: none; } .script .legend .live { display: flex; } .script .screen { display: inline; } .script .live { display: block; } .script .still { display: none; }
.motion .still svg + svg { margin-top: -6px; }
h3 small { font-weight: 400; color: var(--muted); font-size: 13px; }
#against { font: inherit; color: var(--ink); background: var(--bg); border: 1px solid var(--rule); border-radius: 6px; padding: 2px 6px; max-width: 260px; }
.mark { fill: var(--warn); } a:hover .mark, a:focus .mark { fill: var(--ink); }
.carried { position: absolute; }
.moments > summary { font-size: 14px; } .moments > summary svg { display: inline-block; vertical-align: middle; margin: 0 2px; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 14px 18px; margin: 10px 0 16px; }
.card { border: 1px solid var(--rule); border-radius: 8px; padding: 10px 12px; min-width: 0; scroll-margin-top: 12px; } .card:target { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.card p { margin: 0 0 6px; font-size: 13.5px; } .card .when span { color: var(--muted); } .card .note { margin: 4px 0 0; } .card .note b { color: var(--ink); }
.seen { display: grid; grid-template-columns: repeat(auto-fit, minmax(90px, 1fr)); gap: 8px; margin-bottom: 8px; } .seen figure { margin: 0; min-width: 0; }
.seen svg { display: block; width: 100%; height: auto; max-height: 156px; border: 1px solid var(--rule); border-radius: 4px; image-rendering: pixelated; background: var(--panel); } .seen figcaption { font-size: 12px; color: var(--muted); overflow-wrap: anywhere; }
.motion .head { display: flex; justify-content: space-between; gap: 12px; font-size: 12px; color: var(--muted); min-height: 19px; }
.motion .readout { font-variant-numeric: tabular-nums; white-space: nowrap; }
.uplot, .u-wrap { font-family: inherit; } .u-select { background: var(--s1); opacity: 0.15; }
@media (max-width: 640px) {
  main { padding: 20px 14px 48px; } h1 { font-size: 22px; } .verdict { font-size: 16px; padding: 10px 14px; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: 6px; }
}
/* the plots fit a narrow window as a whole, with letters that can still be read */
@media screen and (max-width: 900px) {
  .scroll > svg.wide { min-width: 620px; }
  svg.wide .tick, svg.wide .title, svg.wide .label { font-size: 14px; }
}
@media print {
  :root { color-scheme: light; }
  body { font-size: 11pt; } main { max-width: none; padding: 0; }
  h2 { break-after: avoid; } .columns > *, tr, .verdict, .tiles, svg.plot { break-inside: avoid; }
  .scroll { overflow: visible; } .scroll > svg.wide { min-width: 0; } table, th, tbody th { font-size: 7.5pt; } th, td { padding: 2px 5px; }
  .script .live, .screen, .legend .live { display: none; } .script .legend .live { display: flex; } .script .screen { display: inline; } .script .still { display: block; } .script .screen { display: none; }
  details { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
`;
