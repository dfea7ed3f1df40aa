// Numbers as pictures, each with the same numbers as text: a heat map of pairs, one metric against another, rates.

const MOST_POINTS = 4000;
const median = values => values.sort((one, other) => one - other)[Math.floor(values.length / 2)];
const LABELS = {[HANDSHAKE]: 'dial to first pong (ms)', [PING]: 'ping (ms)', kbps: 'rate (kbit/s)'};
const label = metric => LABELS[metric] || metric;

function plotsView(shown, open, changed) {
  const view = el('div', {class: 'plots'});
  const metric = state.metric || (DATA.metrics.includes(HANDSHAKE) ? HANDSHAKE : DATA.metrics[0]);
  if (!metric) return el('p', null, 'No case of this run measured anything.');
  const members = [];
  for (let i = 0; i < COUNT; i++) if (shown[i] && number(metric, i) !== null) members.push(i);
  const select = el('select', {'aria-label': 'Metric', onchange: () => { state.metric = select.value; changed(true); }},
    DATA.metrics.map(it => el('option', {value: it, selected: it === metric}, label(it))));
  view.append(el('p', null, 'Metric ', select, ` of ${plural(members.length, 'case')}`));
  if (!members.length) return view;
  view.append(heatMap(metric, members));
  if (DATA.metrics.includes(HANDSHAKE) && DATA.metrics.includes(PING)) view.append(scatter(members, open));
  if (DATA.metrics.includes(`${metric}Deviation`)) view.append(rates(metric, members, open));
  return view;
}

function heatMap(metric, members) {
  const pairs = new Map();
  for (const i of members) {
    const place = `${CASES.first[i]} ${CASES.second[i]}`;
    if (!pairs.has(place)) pairs.set(place, []);
    pairs.get(place).push(number(metric, i));
  }
  for (const [place, values] of pairs) pairs.set(place, median(values));
  const lowest = Math.log(Math.max(1e-3, Math.min(...pairs.values())));
  const span = Math.log(Math.max(1e-3, Math.max(...pairs.values()))) - lowest || 1;
  const lines = [...new Set(members.map(i => CASES.first[i]))].sort(byName);
  const columns = [...new Set(members.map(i => CASES.second[i]))].sort(byName);
  const table = el('table', {class: 'matrix heat'}, el('thead', null, el('tr', null, el('th', {class: 'corner'}, `${DATA.roles[0]} \\ ${DATA.roles[1]}`), columns.map(it => el('th', {scope: 'col'}, DATA.versions[it])))));
  const body = el('tbody');
  for (const line of lines) {
    body.append(el('tr', null, el('th', {scope: 'row'}, DATA.versions[line]), columns.map(column => {
      const value = pairs.get(`${line} ${column}`);
      const cell = el('td', {class: value === undefined ? 'none' : 'heat'}, value === undefined ? '' : `${+value.toPrecision(3)}`);
      if (value !== undefined) cell.style.setProperty('--heat', ((Math.log(Math.max(1e-3, value)) - lowest) / span).toFixed(3));
      return cell;
    })));
  }
  table.append(body);
  return el('section', null, el('h2', null, `Heat map: ${label(metric)}, median over what the pair shares`), el('div', {class: 'scroll'}, table));
}

function scatter(members, open) {
  const both = members.filter(i => number(HANDSHAKE, i) > 0 && number(PING, i) > 0);
  const step = Math.max(1, both.length / MOST_POINTS);
  const points = Array.from({length: Math.min(both.length, MOST_POINTS)}, (_, n) => both[Math.floor(n * step)]);
  if (!points.length) return null;
  const [width, height, room] = [720, 380, 56];
  const scale = (metric, from, to) => {
    const values = points.map(i => Math.log10(number(metric, i)));
    const [low, high] = [Math.floor(Math.min(...values)), Math.ceil(Math.max(...values) + 1e-9)];
    return {low, high, of: value => from + (Math.log10(value) - low) / (high - low || 1) * (to - from)};
  };
  const x = scale(HANDSHAKE, room, width - 26);
  const y = scale(PING, height - room, 12);
  const chart = svg('svg', {viewBox: `0 0 ${width} ${height}`, class: 'scatter', role: 'img', 'aria-label': 'Dial to first pong against ping, both logarithmic; the cases are in the list'});
  for (let power = x.low; power <= x.high; power++) chart.append(svg('line', {x1: x.of(10 ** power), x2: x.of(10 ** power), y1: 12, y2: height - room, class: 'axis'}), svg('text', {x: x.of(10 ** power), y: height - room + 16, class: 'tick', 'text-anchor': 'middle'}, 10 ** power));
  for (let power = y.low; power <= y.high; power++) chart.append(svg('line', {x1: room, x2: width - 26, y1: y.of(10 ** power), y2: y.of(10 ** power), class: 'axis'}), svg('text', {x: room - 6, y: y.of(10 ** power) + 4, class: 'tick', 'text-anchor': 'end'}, 10 ** power));
  chart.append(svg('text', {x: width / 2, y: height - 14, class: 'tick', 'text-anchor': 'middle'}, label(HANDSHAKE)), svg('text', {x: 14, y: height / 2, class: 'tick', transform: `rotate(-90 14 ${height / 2})`, 'text-anchor': 'middle'}, label(PING)));
  for (const i of points) chart.append(svg('circle', {cx: x.of(number(HANDSHAKE, i)), cy: y.of(number(PING, i)), r: 4, class: `point ${verdictOf(i)}`, onclick: () => open(i)}, svg('title', null, words(i))));
  const note = both.length > points.length ? `, ${points.length} of ${both.length} cases, evenly chosen` : '';
  return el('section', null, el('h2', null, `Dial to first pong against ping${note}`), chart);
}

function rates(metric, members, open) {
  const most = Math.max(...members.map(i => number(metric, i) + (number(`${metric}Deviation`, i) || 0)));
  const table = el('table', {class: 'rates'}, el('thead', null, el('tr', null, ['Case', label(metric), 'mean and deviation'].map(it => el('th', {scope: 'col'}, it)))));
  const body = el('tbody');
  for (const i of members.slice(0, 500)) {
    const [mean, deviation] = [number(metric, i), number(`${metric}Deviation`, i) || 0];
    const at = value => Math.max(0, value) / most * 300;
    body.append(el('tr', null, el('td', null, el('button', {type: 'button', class: 'name', onclick: () => open(i)}, nameOf(i))), el('td', {class: 'number'}, `${Math.round(mean)} ± ${Math.round(deviation)}`),
      el('td', null, svg('svg', {viewBox: '0 0 310 16', class: 'rate', role: 'img', 'aria-label': `${Math.round(mean)} ± ${Math.round(deviation)}`}, svg('rect', {x: 0, y: 3, width: at(mean), height: 10, class: 'bar'}),
        svg('line', {x1: at(mean - deviation), x2: at(mean + deviation), y1: 8, y2: 8, class: 'deviation'})))));
  }
  table.append(body);
  return el('section', null, el('h2', null, 'Rates'), table);
}
