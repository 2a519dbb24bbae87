/** What the live page adds to the style of the reports. */
export const WATCH_STYLE = `
main { padding-top: 20px; }
h2 { margin-top: 34px; }
.top { display: flex; flex-wrap: wrap; justify-content: space-between; align-items: flex-end; gap: 10px 24px; margin-bottom: 14px; }
.top > div { min-width: 0; }
.top .sub { margin: 0; min-height: 22px; }
.transport { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; font-size: 14px; color: var(--muted); }
button, select, input { font: inherit; color: var(--ink); }
button { border: 1px solid var(--rule); border-radius: 6px; background: var(--panel); padding: 4px 12px; cursor: pointer; }
button:hover { border-color: var(--muted); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--bg); min-width: 92px; font-weight: 600; }
button.quiet { padding: 1px 9px; font-size: 13px; }
select, input[type="number"], input[type="text"] { border: 1px solid var(--rule); border-radius: 6px; background: var(--bg); padding: 3px 6px; min-width: 0; }
input[type="range"] { accent-color: var(--accent); min-width: 0; width: 100%; margin: 0; }
:is(button, select, input, summary):focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
#pace { max-width: 92px; }
.problem, .refusal { color: var(--warn); background: var(--warn-soft); border-left: 4px solid var(--warn); padding: 6px 12px; overflow-wrap: anywhere; max-width: none; }
.problem { margin: 0 0 14px; }
[hidden] { display: none !important; }
.tiles dd:first-of-type { min-height: 29px; }
.stage { display: grid; grid-template-columns: minmax(0, 1.28fr) minmax(0, 0.6fr) minmax(290px, 1fr); gap: 18px 22px; margin-top: 18px; align-items: start; }
figure { margin: 0; min-width: 0; } figcaption { font-size: 13px; color: var(--muted); margin-top: 4px; line-height: 1.35; }
canvas { display: block; }
.stage canvas { width: 100%; border-radius: 6px; box-shadow: 0 0 0 1px var(--rule); aspect-ratio: 1; }
.cameras { display: grid; gap: 12px; } .cameras canvas { image-rendering: pixelated; }
.controls { font-size: 14px; display: grid; gap: 12px; }
fieldset { border: 1px solid var(--rule); border-radius: 8px; padding: 8px 14px 12px; margin: 0; min-width: 0; }
legend { font-weight: 600; padding: 0 6px; margin-left: -6px; } legend small { color: var(--muted); font-weight: 400; font-size: 13px; }
.row { display: grid; grid-template-columns: 84px minmax(0, 1fr) auto; gap: 10px; align-items: center; margin: 5px 0; }
.row > select, .row > input[type="number"]:nth-child(2), .row > input[type="text"] { grid-column: 2 / -1; }
.row output { min-width: 58px; text-align: right; font-variant-numeric: tabular-nums; font-weight: 600; }
.row input[type="number"]:last-child { width: 58px; text-align: right; font-variant-numeric: tabular-nums; }
.row.invalid { color: var(--warn); } .row.invalid input { accent-color: var(--warn); }
#fields .row, #more .row { grid-template-columns: minmax(0, 1.3fr) minmax(0, 1fr) auto; overflow-wrap: anywhere; }
.hint { font-size: 13px; line-height: 1.4; color: var(--muted); margin: 2px 0 6px; max-width: none; } .hint.warn { color: var(--warn); } .hint b { color: var(--ink); }
.note.title { margin: 0 0 4px; font-size: 13px; line-height: 1.4; }
#timeline .column:hover { opacity: 0.72; } #timeline .hit { fill: transparent; }
#timeline .change { stroke: var(--accent); stroke-width: 1; fill: none; }
#timeline .setting { font-size: 11.5px; fill: var(--accent); }
#chunks td, #tally td { font-size: 13.5px; padding-top: 3px; padding-bottom: 3px; }
#chunks { table-layout: auto; } #chunks tbody tr:first-child td { font-weight: 600; }
#chunks svg { display: block; width: 92px; height: 12px; }
.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); gap: 14px 24px; }
.curve { min-width: 0; } .curve .head { display: flex; justify-content: space-between; font-size: 13px; color: var(--muted); }
.curve .readout { font-variant-numeric: tabular-nums; }
@media (max-width: 980px) { .stage { grid-template-columns: minmax(0, 1fr) minmax(0, 0.5fr); } .controls { grid-column: 1 / -1; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); align-items: start; } }
@media (max-width: 640px) {
  .stage { grid-template-columns: minmax(0, 1fr); } .cameras { grid-template-columns: 1fr 1fr; }
  .tiles { grid-template-columns: 1fr 1fr; } .tiles > div { padding: 8px 12px; } .tiles dd:first-of-type { font-size: 18px; }
}
@media (prefers-reduced-motion: no-preference) { button { transition: border-color 0.12s; } }
`;
