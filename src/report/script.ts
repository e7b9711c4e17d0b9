// The report's own script, which runs in the reader's browser and needs nothing from outside: reading values off
// curves, paging through volumes, following a sound in its spectrogram. Without it the page still shows everything
// at rest. It is text here because the page embeds it; script.test.ts runs it in a browser where there is one.

export const script = `
'use strict';
document.documentElement.classList.add('js');
const all = (root, selector) => [...root.querySelectorAll(selector)];
const between = (value, low, high) => Math.max(low, Math.min(high, value));
const show = value => {
  const size = Math.abs(value);
  return value === 0 || (size >= 1e-3 && size < 1e6) ? String(Number(value.toPrecision(4))) : value.toExponential(3);
};

// Curves: a guide under the pointer, or moved with the arrow keys, and the values of the nearest points.
for (const area of all(document, '[data-plot]')) {
  const plot = JSON.parse(area.dataset.plot);
  const figure = area.closest('figure');
  const svg = area.querySelector('svg');
  const guide = area.querySelector('.guide');
  const readout = figure.querySelector('.readout');
  const curves = all(svg, '.curve').map(group => {
    const numbers = (group.querySelector('.line').getAttribute('d').replace(/h0\\.01/g, '').match(/-?[0-9.]+/g) || []).map(Number);
    const points = [];
    for (let i = 0; i + 1 < numbers.length; i += 2) points.push([numbers[i], numbers[i + 1]]);
    return { label: group.dataset.label, points };
  }).filter(curve => curve.points.length > 0);
  const xOf = px => plot.x[0] + (px - plot.left) / (plot.right - plot.left) * (plot.x[1] - plot.x[0]);
  const yOf = py => {
    const share = (plot.bottom - py) / (plot.bottom - plot.top);
    return plot.log ? plot.y[0] * (plot.y[1] / plot.y[0]) ** share : plot.y[0] + share * (plot.y[1] - plot.y[0]);
  };
  const nearest = (points, px) => points.reduce((best, point) => Math.abs(point[0] - px) < Math.abs(best[0] - px) ? point : best);
  const step = curves.flatMap(curve => curve.points.map(point => point[0])).filter((px, i, list) => list.indexOf(px) === i).sort((a, b) => a - b);
  let place = 0;
  const move = px => {
    if (curves.length === 0) return;
    const at = nearest(step.map(value => [value]), px)[0];
    place = step.indexOf(at);
    guide.setAttribute('x1', at);
    guide.setAttribute('x2', at);
    guide.classList.add('shown');
    readout.hidden = false;
    const here = curves.map(curve => [curve.label, nearest(curve.points, at)]).filter(([, point]) => Math.abs(point[0] - at) <= 1);
    readout.textContent = show(xOf(at)) + ': ' + here.map(([label, point]) => label + ' ' + show(yOf(point[1]))).join(', ');
  };
  const leave = () => { guide.classList.remove('shown'); readout.textContent = ''; };
  svg.addEventListener('pointermove', event => {
    const box = svg.getBoundingClientRect();
    move((event.clientX - box.left) / box.width * svg.viewBox.baseVal.width);
  });
  svg.addEventListener('pointerleave', leave);
  area.addEventListener('blur', leave);
  area.addEventListener('keydown', event => {
    const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (by === undefined || step.length === 0) return;
    event.preventDefault();
    move(step[between(guide.classList.contains('shown') ? place + by : by < 0 ? step.length - 1 : 0, 0, step.length - 1)]);
  });
}

// Volumes: every plane is drawn from the mosaic, whose tiles are the planes of the first axis.
const viewers = all(document, '.viewer').map(root => {
  const view = JSON.parse(root.dataset.view);
  const mosaic = root.querySelector('.mosaic');
  const place = root.querySelector('.place output');
  const [depth, rows, width] = view.copy;
  const tile = i => [i % view.columns * width, Math.floor(i / view.columns) * rows];
  const planes = all(root, '.plane').map(element => ({
    axis: Number(element.dataset.axis),
    picture: element.querySelector('.plane-picture'),
    still: element.querySelector('img'),
    pager: element.querySelector('.pager'),
    number: element.querySelector('.slice-number'),
    down: element.querySelector('.down'),
    across: element.querySelector('.across'),
    canvas: null,
  }));
  const spans = [[1, 2], [0, 2], [0, 1]];
  let index = view.middle.slice();
  let loaded = null;

  const drawPlane = plane => {
    const { axis } = plane;
    const [r, c] = spans[axis];
    const at = Math.floor(index[axis] / view.factors[axis]);
    const isMiddle = index[axis] === view.middle[axis];
    plane.number.textContent = (index[axis] + 1) + ' of ' + view.sizes[axis];
    plane.pager.value = at;
    plane.pager.setAttribute('aria-valuetext', plane.number.textContent);
    plane.down.style.left = 100 * (index[c] + 0.5) / view.sizes[c] + '%';
    plane.across.style.top = 100 * (index[r] + 0.5) / view.sizes[r] + '%';
    plane.still.hidden = !isMiddle;
    if (plane.canvas) plane.canvas.hidden = isMiddle;
    if (isMiddle) return;
    if (!plane.canvas) {
      plane.canvas = document.createElement('canvas');
      plane.canvas.width = view.copy[c];
      plane.canvas.height = view.copy[r];
      plane.canvas.setAttribute('role', 'img');
      plane.still.after(plane.canvas);
    }
    plane.canvas.setAttribute('aria-label', plane.still.alt.replace(/slice .*/, 'slice ' + plane.number.textContent));
    const pen = plane.canvas.getContext('2d');
    pen.imageSmoothingEnabled = false;
    if (axis === 0) {
      const [x, y] = tile(at);
      pen.drawImage(mosaic, x, y, width, rows, 0, 0, width, rows);
      return;
    }
    pen.setTransform(...(axis === 1 ? [1, 0, 0, 1, 0, 0] : [0, 1, 1, 0, 0, 0]));
    for (let i = 0; i < depth; i++) {
      const [x, y] = tile(i);
      if (axis === 1) pen.drawImage(mosaic, x, y + at, width, 1, 0, i, width, 1);
      else pen.drawImage(mosaic, x + at, y, 1, rows, i, 0, 1, rows);
    }
  };
  const draw = () => {
    planes.forEach(drawPlane);
    if (place && view.world) {
      const { origin, steps } = view.world;
      const at = origin.map((start, w) => start + index.reduce((sum, i, axis) => sum + i * steps[axis][w], 0));
      place.textContent = at.map((value, w) => 'xyz'[w] + ' ' + value.toFixed(1).replace('-', '\\u2212')).join(', ') + ' mm';
    }
  };
  const goTo = next => {
    index = next.map((value, axis) => between(value, 0, view.sizes[axis] - 1));
    loaded = loaded || mosaic.decode();
    return loaded.then(draw, draw);
  };
  const viewer = { link: view.link, goTo, root };
  const goToAll = next => viewers.forEach(other => { if (other.link === viewer.link) other.goTo(next); });
  // Slice of the whole volume in the middle of a slice of the copy; the middle slice stands for its own.
  const whole = (axis, at) => {
    const factor = view.factors[axis];
    if (at === Math.floor(view.middle[axis] / factor)) return view.middle[axis];
    return between(at * factor + Math.floor((factor - 1) / 2), 0, view.sizes[axis] - 1);
  };
  for (const plane of planes) {
    plane.pager.addEventListener('input', () => {
      const next = index.slice();
      next[plane.axis] = whole(plane.axis, Number(plane.pager.value));
      goToAll(next);
    });
    plane.picture.addEventListener('click', event => {
      const box = plane.picture.getBoundingClientRect();
      const [r, c] = spans[plane.axis];
      const next = index.slice();
      next[r] = Math.floor((event.clientY - box.top) / box.height * view.sizes[r]);
      next[c] = Math.floor((event.clientX - box.left) / box.width * view.sizes[c]);
      goToAll(next);
      plane.pager.focus({ preventScroll: true });
    });
  }
  return viewer;
});

// Places in a volume that are shown small lead to its viewer.
for (const button of all(document, '[data-goto]')) {
  button.addEventListener('click', () => {
    const { name, index } = JSON.parse(button.dataset.goto);
    const viewer = viewers.find(({ root }) => root.dataset.name === name);
    if (!viewer) return;
    viewer.goTo(index);
    viewer.root.scrollIntoView({ block: 'center' });
    viewer.root.querySelector('.pager').focus({ preventScroll: true });
  });
}

// Sounds: one plays at a time, a line follows it, and a click in the spectrogram goes there.
const players = all(document, 'audio');
for (const player of players) {
  const drawing = player.closest('figure').querySelector('[data-time]');
  player.addEventListener('play', () => players.forEach(other => { if (other !== player) other.pause(); }));
  if (!drawing) continue;
  const time = JSON.parse(drawing.dataset.time);
  const cursor = drawing.querySelector('.cursor');
  const follow = () => {
    const x = time.left + (player.currentTime - time.low) / (time.high - time.low) * (time.right - time.left);
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    cursor.classList.add('shown');
    if (!player.paused) requestAnimationFrame(follow);
  };
  player.addEventListener('play', follow);
  player.addEventListener('seeking', follow);
  drawing.addEventListener('click', event => {
    const box = drawing.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * drawing.viewBox.baseVal.width;
    player.currentTime = between(time.low + (x - time.left) / (time.right - time.left) * (time.high - time.low), 0, player.duration || 0);
    follow();
  });
}
`.trim();
