// Who said or did what when: a lane for each participant, and below it the lines of the part that is looked at.

const WIDTH = 960;
const LANE = 26;
const LEFT = 92;

function timelineView(timeline) {
  const view = el('div', {class: 'timeline'});
  const clocks = [...new Set(timeline.lines.map(it => it[1]))];
  for (const clock of clocks) view.append(oneTimeline(clock, timeline.lines.filter(it => it[1] === clock)));
  if (timeline.out) view.append(el('p', {class: 'note'}, `${plural(timeline.out, 'line')} in the middle left out; all of them are in the files.`));
  return view;
}

function oneTimeline(clock, lines) {
  const lanes = [...new Set(lines.map(it => it[2]))];
  const all = [Math.min(0, lines[0][0]), Math.max(...lines.map(it => it[0])) + 1];
  let part = [...all];
  const chart = svg('svg', {class: 'lanes', viewBox: `0 0 ${WIDTH} ${LANE * lanes.length + 24}`, role: 'img', tabindex: 0,
    'aria-label': `${clock || 'Timeline'}: ${lanes.join(', ')}; the lines are listed below`});
  const list = el('ol', {class: 'log', tabindex: 0, 'aria-label': clock || 'Log lines by time'});
  const x = at => LEFT + (at - part[0]) / (part[1] - part[0]) * (WIDTH - LEFT - 10);
  const draw = () => {
    chart.replaceChildren();
    list.replaceChildren();
    lanes.forEach((lane, number) => {
      const y = LANE * number + LANE / 2;
      chart.append(svg('text', {x: 4, y: y + 4, class: 'lane'}, lane), svg('line', {x1: LEFT, x2: WIDTH - 10, y1: y, y2: y, class: 'axis'}));
    });
    for (let step = 0; step <= 6; step++) {
      const at = part[0] + (part[1] - part[0]) * step / 6;
      chart.append(svg('text', {x: x(at), y: LANE * lanes.length + 16, class: 'tick', 'text-anchor': step === 6 ? 'end' : 'middle'}, milliseconds(Math.max(0, at)) || '0'));
    }
    for (const [at, , lane, stream, text] of lines) {
      if (at < part[0] || at > part[1]) continue;
      const y = LANE * lanes.indexOf(lane) + LANE / 2;
      const kind = lane === 'runner' || lane === 'redis' ? 'event' : stream === 'stderr' ? 'stderr' : 'said';
      const mark = svg(kind === 'event' ? 'rect' : 'circle', kind === 'event' ? {x: x(at) - 4, y: y - 6, width: 8, height: 12, class: kind} : {cx: x(at), cy: y, r: 4, class: kind},
        svg('title', null, `${at} ms ${lane} ${stream}: ${text}`));
      const item = el('li', {class: kind}, el('time', null, `${(at / 1000).toFixed(3)} s`), el('b', null, stream ? `${lane} ${stream}` : lane), el('span', null, text));
      mark.addEventListener('click', () => { item.scrollIntoView({block: 'nearest'}); item.classList.add('marked'); setTimeout(() => item.classList.remove('marked'), 1500); });
      chart.append(mark);
      list.append(item);
    }
  };
  const zoom = (factor, about) => {
    const middle = about ?? (part[0] + part[1]) / 2;
    const half = Math.max(2, (part[1] - part[0]) * factor / 2);
    const share = (middle - part[0]) / (part[1] - part[0]);
    part = [Math.max(all[0], middle - 2 * half * share), Math.min(all[1], middle + 2 * half * (1 - share))];
    draw();
  };
  const move = share => {
    const step = (part[1] - part[0]) * share;
    const by = Math.max(all[0] - part[0], Math.min(all[1] - part[1], step));
    part = [part[0] + by, part[1] + by];
    draw();
  };
  // What went wrong mostly stands where the first participant ended.
  const end = () => {
    const ended = lines.find(it => it[2] === 'runner') || lines[lines.length - 1];
    const span = Math.max(20, (all[1] - all[0]) / 10);
    part = [Math.max(all[0], ended[0] - span), Math.min(all[1], ended[0] + span / 4)];
    draw();
  };
  chart.addEventListener('wheel', it => {
    if (!it.ctrlKey && !it.shiftKey) return;
    it.preventDefault();
    const box = chart.getBoundingClientRect();
    const place = (it.clientX - box.left) / box.width * WIDTH;
    zoom(it.deltaY > 0 ? 1.25 : 0.8, part[0] + (place - LEFT) / (WIDTH - LEFT - 10) * (part[1] - part[0]));
  }, {passive: false});
  chart.addEventListener('keydown', it => {
    const act = {'+': () => zoom(0.5), '-': () => zoom(2), ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25), Home: () => { part = [...all]; draw(); }, End: end}[it.key];
    if (act) { it.preventDefault(); it.stopPropagation(); act(); }
  });
  draw();
  const button = (text, act, title) => el('button', {type: 'button', onclick: act, title}, text);
  return el('section', null, el('h4', null, clock ? `${clock}, from its first packet` : 'Timeline'),
    el('div', {class: 'tools'}, button('first end', end, 'zoom to where the first participant ended (End)'), button('+', () => zoom(0.5), 'zoom in'),
      button('−', () => zoom(2), 'zoom out'), button('←', () => move(-0.25), 'earlier'), button('→', () => move(0.25), 'later'), button('all', () => { part = [...all]; draw(); }, 'everything (Home)')),
    chart, list);
}
