/**
 * Runs in the reader's browser: turns the still pictures of the actions into live ones (uPlot) with one cursor and
 * one zoom for all. Without it the page loses nothing but that. Plain JavaScript, inlined after uPlot.
 */
export const MOTION_SCRIPT = `
(() => {
  const data = JSON.parse(document.getElementById('motion').textContent);
  const boxes = [...document.querySelectorAll('.motion')];
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const font = '11.5px ' + getComputedStyle(document.body).fontFamily;
  let charts = [];
  let zooming = false;

  const strokes = (u, times, stroke, height) => {
    const { left, top, width, height: full } = u.bbox;
    const context = u.ctx;
    context.save();
    context.strokeStyle = stroke;
    context.lineWidth = devicePixelRatio;
    context.beginPath();
    for (const time of times) {
      const x = Math.round(u.valToPos(time, 'x', true)) + 0.5;
      if (x < left || x > left + width) continue;
      context.moveTo(x, top + full);
      context.lineTo(x, top + full - Math.min(full, height * devicePixelRatio));
    }
    context.stroke();
    context.restore();
  };

  const seams = (u) => {
    const { min, max } = u.scales.x;
    const inSight = data.seams.filter((time) => time >= min && time <= max);
    const distance = u.width / Math.max(1, inSight.length);
    if (distance >= 3) strokes(u, inSight, colour('rule'), distance >= 7 ? 1e4 : 4);
    strokes(u, data.episodes.slice(1), colour('muted'), 1e4);
  };

  const readout = (u) => {
    const at = u.cursor.idx;
    u.readout.textContent =
      at == null
        ? ''
        : u.data[0][at].toFixed(2) + ' s  ' + data.series
            .map((one, i) => (u.data[i + 1][at] == null ? '' : one.name + ' ' + u.data[i + 1][at]))
            .filter(Boolean)
            .join('  ');
  };

  const zoom = (u, key) => {
    if (key !== 'x' || zooming) return;
    zooming = true;
    const { min, max } = u.scales.x;
    for (const other of charts) if (other !== u) other.setScale('x', { min, max });
    zooming = false;
  };

  const chart = (box) => {
    const column = Number(box.dataset.column);
    const target = box.querySelector('.plotted');
    target.textContent = '';
    const axes = { stroke: colour('muted'), font, grid: { stroke: colour('grid'), width: 1 }, ticks: { show: false } };
    const u = new uPlot(
      {
        width: target.clientWidth,
        height: 150,
        legend: { show: false },
        cursor: { sync: { key: 'motion' }, points: { size: 6 }, drag: { x: true, y: false } },
        scales: { x: { time: false } },
        axes: [
          { ...axes, size: 26, values: (_, ticks) => ticks.map((tick) => tick + ' s') },
          { ...axes, size: 52, space: 28 },
        ],
        series: [
          {},
          ...data.series.map((one) => ({
            stroke: colour(one.colour),
            width: one.colour === 'recorded' ? 3.5 : 1.3,
            points: { show: false },
            spanGaps: false,
          })),
        ],
        hooks: { drawAxes: [seams], setCursor: [readout], setScale: [zoom] },
      },
      [data.time, ...data.series.map((one) => one.values[column])],
      target,
    );
    u.readout = box.querySelector('.readout');
    return u;
  };

  const build = () => {
    for (const one of charts) one.destroy();
    charts = [];
    charts = boxes.map(chart);
  };

  document.documentElement.classList.add('script');
  build();
  dark.addEventListener('change', build);
  addEventListener('resize', () => {
    for (const one of charts) one.setSize({ width: one.root.parentElement.clientWidth, height: 150 });
  });
})();
`;
