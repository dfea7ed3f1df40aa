// One table for each stack, or one for all where a pair has a cell for each word. Rows are made when they come near.

function tables(shown) {
  const groups = new Map();
  for (let i = 0; i < COUNT; i++) {
    if (!shown[i]) continue;
    const group = DATA.perPair ? 0 : CASES.stack[i];
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(i);
  }
  return [...groups].sort((one, other) => one[0] - other[0]);
}

// Versions that nothing is known of: whole rows and columns of nothing. Who asks for them by a filter sees them.
function withoutResult(shown) {
  if (state.filters.verdict) return new Set();
  const known = new Set();
  const all = new Set();
  for (let i = 0; i < COUNT; i++) {
    if (!shown[i]) continue;
    for (const version of [CASES.first[i], CASES.second[i]]) {
      all.add(version);
      if (verdictOf(i) !== 'grey') known.add(version);
    }
  }
  for (const version of known) all.delete(version);
  return known.size ? all : new Set();
}

function matrixView(shown, open) {
  const view = el('div', {class: 'matrices'});
  const observer = new IntersectionObserver(entries => {
    for (const entry of entries) if (entry.isIntersecting) { observer.unobserve(entry.target); entry.target.make(); }
  }, {rootMargin: '600px'});
  if (DATA.perPair) view.append(el('p', {class: 'legend'}, DATA.stacks.map((it, number) => `${DATA.labels[number]} ${it.name}`).join(' · ')));
  const without = withoutResult(shown);
  for (const [group, all] of tables(shown)) {
    const members = all.filter(i => !without.has(CASES.first[i]) && !without.has(CASES.second[i]));
    if (members.length) view.append(oneTable(group, members, open, observer));
  }
  if (without.size) view.append(el('p', {class: 'legend'}, `Without a single result, and in no table: ${[...without].map(it => DATA.versions[it]).join(', ')}. The filter “${SIGNS.grey[1]}” shows them.`));
  if (!view.querySelector('table')) view.append(el('p', null, 'No case fits these filters.'));
  view.addEventListener('keydown', moveByKey);
  view.addEventListener('mouseover', it => cross(view, it.target.closest('td')));
  view.addEventListener('focusin', it => cross(view, it.target.closest('td')));
  return view;
}

function oneTable(group, members, open, observer) {
  const columns = [...new Set(members.map(i => CASES.second[i]))].sort(byName);
  const lines = [...new Set(members.map(i => CASES.first[i]))].sort(byName);
  const cells = new Map();
  for (const i of members) {
    const place = `${CASES.first[i]} ${CASES.second[i]}`;
    if (!cells.has(place)) cells.set(place, []);
    cells.get(place).push(i);
  }
  const title = DATA.perPair ? `${DATA.roles[0]} (rows) × ${DATA.roles[1]} (columns)` : DATA.stacks[group].name;
  const head = el('tr', null, el('th', {scope: 'col', class: 'corner'}, `${DATA.roles[0]} \\ ${DATA.roles[1]}`));
  for (const column of columns) head.append(el('th', {scope: 'col'}, DATA.versions[column]));
  const body = el('tbody');
  for (const line of lines) body.append(oneRow(line, columns, cells, open, observer));
  const good = members.filter(i => outcomeOf(i) === 'passed').length;
  const ran = members.filter(i => !['not-run', 'error'].includes(outcomeOf(i))).length;
  return el('section', {class: DATA.perPair ? 'pairs' : 'stack'},
    el('h2', null, title, el('small', null, ` ${good} of ${ran} pass`)),
    el('div', {class: 'scroll', tabindex: -1}, el('table', {class: 'matrix', role: 'grid', 'aria-label': title}, el('thead', null, head), body)));
}

function oneRow(line, columns, cells, open, observer) {
  const row = el('tr', null, el('th', {scope: 'row'}, DATA.versions[line]));
  const rest = el('td', {colspan: columns.length, class: 'later'});
  row.append(rest);
  row.make = () => {
    rest.remove();
    for (const column of columns) {
      const members = cells.get(`${line} ${column}`) || [];
      row.append(el('td', {class: members.length ? null : 'none'}, members.map(i => cellButton(i, open))));
    }
  };
  observer.observe(row);
  return row;
}

function cellButton(i, open) {
  const [symbol] = sign(i);
  const latency = number(HANDSHAKE, i);
  const text = DATA.perPair ? `${symbol}${DATA.labels[CASES.stack[i]]}` : latency === null ? symbol : `${symbol} ${milliseconds(latency)}`;
  return el('button', {type: 'button', class: `cell ${verdictOf(i)}${changeOf(i) ? ` change ${changeOf(i)}` : ''}`, 'data-key': keyOf(i),
    'aria-label': words(i), title: words(i), onclick: () => open(i)}, text);
}

const byName = (one, other) => DATA.versions[one].localeCompare(DATA.versions[other], 'en', {numeric: true});

function cross(view, cell) {
  for (const it of view.querySelectorAll('.crossed')) it.classList.remove('crossed');
  if (!cell) return;
  const column = cell.cellIndex;
  cell.parentNode.classList.add('crossed');
  for (const row of cell.closest('table').rows) row.cells[column]?.classList.add('crossed');
}

// Arrows move from cell to cell; within a cell of several cases, left and right go through them first.
function moveByKey(event) {
  const button = event.target.closest?.('button.cell');
  const step = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]}[event.key];
  if (!button || !step) return;
  event.preventDefault();
  const beside = step[1] < 0 ? button.previousElementSibling : step[1] > 0 ? button.nextElementSibling : null;
  if (beside) { beside.focus(); return; }
  const cell = button.closest('td');
  const place = [...cell.children].indexOf(button);
  let row = cell.parentNode;
  let column = cell.cellIndex;
  for (;;) {
    column += step[1];
    if (step[0]) row = step[0] > 0 ? row.nextElementSibling : row.previousElementSibling;
    if (!row || row.parentNode.tagName !== 'TBODY') return;
    if (row.querySelector('.later')) row.make();
    if (column < 1 || column >= row.cells.length) return;
    const buttons = row.cells[column].querySelectorAll('button.cell');
    if (buttons.length) { buttons[step[0] ? Math.min(place, buttons.length - 1) : step[1] > 0 ? 0 : buttons.length - 1].focus(); return; }
  }
}
