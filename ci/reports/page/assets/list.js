// All cases as lines, the worst first; of thousands only those that can be seen are made.

const LINE = 30;
const ORDER = ['unexpected', 'error', 'incomplete', 'stale', 'flaky', 'expected', 'unsupported', 'grey', 'green'];

function listView(shown, open) {
  const members = [];
  for (let i = 0; i < COUNT; i++) if (shown[i]) members.push(i);
  members.sort((one, other) => ORDER.indexOf(verdictOf(one)) - ORDER.indexOf(verdictOf(other)) || one - other);
  const inside = el('div', {class: 'lines', role: 'list', 'aria-label': 'Cases'});
  inside.style.height = `${members.length * LINE}px`;
  const view = el('div', {class: 'list', tabindex: 0, 'aria-label': 'Cases, the worst first'}, inside);
  const made = new Map();
  const show = () => {
    const from = Math.max(0, Math.floor(view.scrollTop / LINE) - 10);
    const to = Math.min(members.length, Math.ceil((view.scrollTop + view.clientHeight) / LINE) + 10);
    for (const [number, line] of made) if (number < from || number >= to) { line.remove(); made.delete(number); }
    for (let number = from; number < to; number++) {
      if (made.has(number)) continue;
      const line = oneLine(members[number], open);
      line.style.top = `${number * LINE}px`;
      line.setAttribute('aria-setsize', members.length);
      line.setAttribute('aria-posinset', number + 1);
      made.set(number, line);
      inside.append(line);
    }
  };
  view.addEventListener('scroll', show, {passive: true});
  new ResizeObserver(show).observe(view);
  return view;
}

function oneLine(i, open) {
  const [symbol, meaning] = sign(i);
  const button = el('button', {type: 'button', class: 'line', 'data-key': keyOf(i), onclick: () => open(i)},
    el('span', {class: `sign ${verdictOf(i)}`, title: meaning}, symbol), el('span', {class: 'name'}, nameOf(i)),
    el('span', {class: 'code'}, codeOf(i)), el('span', {class: 'why'}, reasonOf(i)),
    el('span', {class: 'number'}, milliseconds(number(HANDSHAKE, i))));
  return el('div', {role: 'listitem', class: 'item'}, button);
}

// Reasons by how many cases have them, with what they mean; entries of expectations with what they cover.
function causesView(shown, filter) {
  const codes = new Map();
  const entries = new Map();
  for (let i = 0; i < COUNT; i++) {
    if (!shown[i]) continue;
    if (codeOf(i)) codes.set(codeOf(i), (codes.get(codeOf(i)) || 0) + 1);
    if (entryOf(i)) entries.set(entryOf(i).id, (entries.get(entryOf(i).id) || 0) + 1);
  }
  const view = el('div', {class: 'causes'}, el('h2', null, 'Reasons'));
  for (const [code, count] of [...codes].sort((one, other) => other[1] - one[1])) {
    view.append(el('section', null, el('h3', null, el('button', {type: 'button', class: 'chip', onclick: () => filter('code', code)}, `${code} `, el('b', null, count))),
      explained(code)));
  }
  view.append(el('h2', null, 'Expectations'));
  for (const line of DATA.neglected) view.append(el('p', {class: 'todo'}, line));
  for (const entry of DATA.expectations) {
    view.append(el('section', null,
      el('h3', null, el('button', {type: 'button', class: 'chip', onclick: () => filter('expectation', entry.id)}, `${entry.id} `, el('b', null, entries.get(entry.id) || 0))),
      expectation(entry)));
  }
  if (!DATA.expectations.length) view.append(el('p', null, 'None is said of a case of this run.'));
  return view;
}

function expectation(entry) {
  return rows([['expected to', entry.expect], ['because', entry.reason], ['see', entry.link && link(entry.link, entry.link)],
    ['owner', entry.owner], ['since', entry.since], ['expires', entry.expires], ['written in', entry.place]]);
}

// What a reason code means: the words of docs/reasons.md.
function explained(code) {
  const [means, usually, advice] = DATA.explanations[code] || ['', '', ''];
  const text = words => words.split('`').map((part, number) => number % 2 ? el('code', null, part) : part);
  return el('div', null, el('p', null, text(`${means} Usually: ${usually}.`)), el('p', null, text(`Do this: ${advice}.`), ' See ', link(DATA.reasonsPage, 'docs/reasons.md'), '.'));
}
