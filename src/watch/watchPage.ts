import type { Bundle } from '../bundle/Bundle';
import { valueText } from '../cache/choice';
import { defaultOf, wordsOf } from '../cache/fieldValues';
import type { Field } from '../cache/fields';
import { POLICIES } from '../cache/registry';
import { modelFacts } from '../policy/modelFacts';
import { hashOf, pageScript, uPlotStyle } from '../report/inlined';
import { jsonForScript, markup, verbatim, type Markup } from '../report/Markup';
import { PAGE_STYLE } from '../report/pageStyle';
import { scroll } from '../report/sections/scroll';
import { CAMERA_SIZE, CAMERAS } from '../sim/renderer';
import { knownSuites } from '../sim/simulate';
import { NOISE_MODES } from '../sampler/types';
import { SPEED_NAMES } from '../sim/speeds';
import { CONDITIONS, SUITES } from '../sim/tasks';
import { LARGEST_SEED, PACES } from './controlRequest';
import { LARGEST_SLIDER_REFRESH } from './messages';
import type { WatchSetup } from './messages';
import type { ServedPage } from './WatchServer';
import { WATCH_STYLE } from './watchStyle';

/** The live page of a bundle: one HTML text that needs nothing but its own server. */
export function watchPage(bundle: Bundle, token: string): ServedPage {
  const style = `${uPlotStyle()}\n${PAGE_STYLE}\n${WATCH_STYLE}`;
  const script = pageScript('watch');
  const policy = [
    "default-src 'none'",
    `style-src '${hashOf(style)}'`,
    `script-src '${hashOf(script)}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const html = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${bundle.manifest.name}, live in the simulated world</title>
<style>${verbatim(style)}</style>
</head>
<body>
<main>
<header class="top">
<div>
<h1>${bundle.manifest.name}, live</h1>
<p class="sub"><span id="suite"></span> <q id="instruction"></q></p>
</div>
<div class="transport" role="group" aria-label="Run">
<button type="button" id="run" class="primary">Pause</button>
<button type="button" data-do="step" title="One control step (s)">Step</button>
<button type="button" data-do="chunk" title="Up to the next chunk (c)">Chunk</button>
<button type="button" data-do="next" title="Break this episode off, uncounted, and begin the next (n)">Next episode</button>
<label>pace <select id="pace">${PACES.map((pace) => markup`<option value="${pace}">${pace === 0 ? 'as fast as it goes' : `${pace} ×`}</option>`)}</select></label>
</div>
</header>
<noscript><p class="verdict">This page needs JavaScript to show what happens.</p></noscript>
<p class="problem" id="problem" role="alert" hidden></p>
<dl class="tiles">
<div><dt>Solved with these settings</dt><dd id="tile-success">–</dd><dd id="tile-success-note">no episode yet</dd></div>
<div><dt>This episode</dt><dd id="tile-step">–</dd><dd id="tile-episode-note">&nbsp;</dd></div>
<div><dt>Stacks of the last chunk</dt><dd id="tile-stacks">–</dd><dd id="tile-stacks-note">of ${bundle.schedule.steps} without a cache</dd></div>
<div><dt>Time of the last chunk</dt><dd id="tile-time">–</dd><dd id="tile-time-note">&nbsp;</dd></div>
</dl>
<div class="stage">
<figure class="table-view"><canvas id="table" role="img" aria-label="The table from above, with the gripper's planned way"></canvas><figcaption>The table. Line: the way the chunk plans, solid as far as it is executed. The cameras are what the model sees.</figcaption></figure>
<div class="cameras">${CAMERAS.map((camera) => markup`<figure><canvas id="camera-${camera}" width="${CAMERA_SIZE}" height="${CAMERA_SIZE}" role="img" aria-label="Camera ${camera}"></canvas><figcaption>camera <b>${camera}</b></figcaption></figure>`)}</div>
${controls(bundle)}
</div>
<section><h2>The cache, chunk by chunk</h2>
<p class="note">Chunks from left to right, denoising steps from top to bottom; below, the time of each chunk. Point at a chunk for its figures.</p>
<ul class="legend">
${key('cell-refresh', 'refresh: all steps computed and stored')}
${key('cell-computed', 'computed')}
${key('cell-part2', 'computed in part')}
${key('cell-reused', 're-used')}
${(['vae', 'prefill', 'expert', 'other'] as const).map((stage) => key(`stage-${stage}`, STAGE_NAMES[stage]))}
</ul>
${scroll(markup`<svg class="plot wide" id="timeline" role="img" aria-label="Timeline of the cache"></svg>`)}
${scroll(markup`<table id="chunks"><thead><tr><th class="left">chunk</th><th class="left">settings</th><th class="left">what</th><th class="left">steps</th><th>stacks</th><th>image, ms</th><th>prefill, ms</th><th>expert, ms</th><th>all, ms</th></tr></thead><tbody></tbody></table>`)}
</section>
<section><h2>The action chunk</h2>
<p class="note">${bundle.dimensions.horizon} actions of the newest chunk; shaded: the ${bundle.manifest.control.replan_steps} that are executed before the next. Grey: what the chunk before it had planned for the same moments.</p>
<div class="curves">${bundle.manifest.actions.items.map(({ name }, i) => markup`<div class="curve" data-column="${i}"><div class="head"><b>${name}</b><span class="readout"></span></div><div class="plotted"></div></div>`)}</div>
</section>
<section><h2>So far</h2>
${scroll(markup`<table id="tally"><thead><tr><th class="left">settings</th><th class="left">world</th><th>solved</th><th>success %</th><th>chunks/ep.</th><th>stacks/chunk</th><th>stacks/ep.</th><th>ms/chunk</th></tr></thead><tbody></tbody></table>`)}
<p class="note">Episodes that were broken off are not counted; one whose settings changed on the way has a line of its own. For figures to rely on, on the same episodes with and without a cache, run <code>fastwam simulate</code>. <button type="button" class="quiet" data-do="forget">Count anew</button></p>
</section>
</main>
<script type="application/json" id="setup">${jsonForScript(setup(bundle, token))}</script>
<script>${verbatim(script)}</script>
</body>
</html>
`.text;
  return { html, policy };
}

const STAGE_NAMES = { vae: 'image', prefill: 'prefill', expert: 'action expert', other: 'other' } as const;

function controls(bundle: Bundle): Markup {
  const known = knownSuites(bundle);
  const last = bundle.schedule.steps - 1;
  return markup`<form class="controls" id="controls" autocomplete="off">
<fieldset><legend>Cache <small>from the next chunk on</small></legend>
<label class="row"><span>policy</span><select id="policy">${POLICIES.map(({ name, title }) => markup`<option value="${name}" title="${title}">${name}</option>`)}</select></label>
<p class="note title" id="policy-title"></p>
<div class="row" id="refresh-row"><label for="refresh">R</label><input type="range" id="refresh" min="0" max="${LARGEST_SLIDER_REFRESH}" step="1"><input type="number" id="refresh-value" min="0" step="1" aria-label="R"></div>
<p class="hint" id="refresh-hint"></p>
<div id="range-row">
<div class="row"><label for="start">range from</label><input type="range" id="start" min="0" max="${last}" step="1"><output id="start-value" for="start"></output></div>
<div class="row"><label for="end">to step</label><input type="range" id="end" min="0" max="${last}" step="1"><output id="end-value" for="end"></output></div>
</div>
<p class="refusal" id="settings-refusal" role="alert" hidden></p>
<p class="hint warn" id="settings-warning" hidden></p>
<p class="hint">In use: <b id="configuration"></b></p>
<details id="more"><summary>more settings</summary><div id="fields"></div>
<label class="row"><span>noise</span><select id="noise">${NOISE_MODES.map((mode) => markup`<option value="${mode}">${mode}</option>`)}</select></label></details>
</fieldset>
<fieldset><legend>World <small>begins a new episode</small></legend>
<label class="row"><span>suite</span><select id="world-suite"><option value="all">all</option>${SUITES.map((suite) => markup`<option value="${suite}"${!known.includes(suite) && verbatim(' disabled title="the bundle does not know its instructions"')}>${suite}</option>`)}</select></label>
<label class="row"><span>speed</span><select id="world-speed">${SPEED_NAMES.map((name) => markup`<option>${name}</option>`)}</select></label>
<label class="row"><span>condition</span><select id="world-condition">${CONDITIONS.map((name) => markup`<option>${name}</option>`)}</select></label>
<label class="row"><span>seed</span><input id="world-seed" type="number" min="0" max="${LARGEST_SEED}" step="1"></label>
<p class="refusal" id="world-refusal" role="alert" hidden></p>
</fieldset>
</form>`;
}

function key(className: string, name: string): Markup {
  return markup`<li><span class="key ${className}"></span><span>${name}</span></li>`;
}

/** What the script needs to know of the bundle. */
function setup(bundle: Bundle, token: string): WatchSetup {
  const context = modelFacts(bundle);
  return {
    token,
    policies: POLICIES.map(({ name, title, fields }) => ({
      name,
      title,
      fields: Object.entries<Field>(fields).map(([field, definition]) => ({
        name: field,
        type: definition.type,
        description: definition.description,
        unit: definition.unit ?? '',
        values: wordsOf(definition),
        default: valueText(defaultOf(definition, context)),
      })),
    })),
    denoisingSteps: bundle.schedule.steps,
    horizon: bundle.dimensions.horizon,
    replanSteps: bundle.manifest.control.replan_steps,
  };
}
