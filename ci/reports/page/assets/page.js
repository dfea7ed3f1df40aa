// Puts the views together and keeps the address in step with what is shown.

const app = document.getElementById('app');
const TITLES = {matrix: 'Matrix', list: 'Cases', plots: 'Plots', causes: 'Causes', difference: 'Difference'};
const KEYS = [['arrows', 'from cell to cell'], ['Enter', 'open a cell'], ['Esc', 'close it'], ['n, p', 'next and previous case that is not green'],
  ['/', 'filter by text'], ['1 … 5', 'the views'], ['?', 'these keys'], ['in a timeline', '+ − ← → Home End']];
const parts = {nav: el('nav', {'aria-label': 'Views'}), filters: el('div'), shown: el('div'), view: el('main', {id: 'view', tabindex: -1}), panel: el('aside', {id: 'panel', hidden: true, 'aria-label': 'Details of a case', tabindex: -1})};
let opener = null;
let drawn = '';

function draw() {
  const {shown, count} = selected();
  parts.nav.replaceChildren(...VIEWS.map(it => el('a', {href: '#', role: 'button', 'aria-current': it === state.view ? 'page' : null, onclick: event => { event.preventDefault(); state.view = it; go(); }}, TITLES[it])));
  parts.shown.replaceChildren(inForce(count, changed));
  const now = JSON.stringify([state.view, state.q, KINDS.map(it => [...state.filters[it.key] || []]), state.metric]);
  if (now !== drawn) {
    drawn = now;
    const view = {matrix: () => matrixView(shown, open), list: () => listView(shown, open), plots: () => plotsView(shown, open, changed),
      causes: () => causesView(shown, (key, value) => { toggle(key, value); state.view = 'list'; go(); }), difference: () => differenceView(shown, open)}[state.view]();
    parts.view.replaceChildren(view);
  }
  return drawPanel();
}

// Typing replaces the entry of the browser's history, everything else makes one: Back undoes it.
function changed(whole) {
  if (whole) { go(); return; }
  history.replaceState(null, '', address());
  draw();
}

function go() {
  if (address() !== location.hash) history.pushState(null, '', address());
  parts.filters.replaceChildren(filterBar(changed));
  draw();
}

function open(i) {
  opener = document.activeElement;
  state.cell = keyOf(i);
  state.attempt = 0;
  go();
  parts.panel.focus();
}

function close() {
  if (!state.cell) return;
  const key = state.cell;
  state.cell = '';
  go();
  const back = opener?.isConnected ? opener : parts.view.querySelector(`[data-key="${key}"]`);
  (back || parts.view).focus();
}

async function drawPanel() {
  const i = positions.get(state.cell);
  document.body.classList.toggle('opened', i !== undefined);
  parts.panel.hidden = i === undefined;
  if (i === undefined) return;
  const asked = `${state.cell} ${state.attempt}`;
  if (parts.panel.dataset.shows === asked) return;
  parts.panel.dataset.shows = asked;
  const heading = [el('button', {type: 'button', class: 'close', 'aria-label': 'Close (Esc)', onclick: close}, '✕'), el('h2', null, nameOf(i))];
  parts.panel.replaceChildren(...heading, el('p', null, '…'));
  let body;
  try {
    body = await detailsView(i, state.attempt, number => { state.attempt = number; go(); });
  } catch (error) {
    body = el('p', {class: 'todo'}, `The details of this case cannot be shown: ${error}`);
  }
  if (parts.panel.dataset.shows === asked) parts.panel.replaceChildren(...heading, body);
}

function step(by) {
  const {shown} = selected();
  const red = [];
  for (let i = 0; i < COUNT; i++) if (shown[i] && verdictOf(i) !== 'green') red.push(i);
  if (!red.length) return;
  const at = red.indexOf(positions.get(state.cell));
  open(red[at < 0 ? (by > 0 ? 0 : red.length - 1) : (at + by + red.length) % red.length]);
}

const help = el('dialog', {id: 'help', 'aria-label': 'Keys'}, el('h2', null, 'Keys'), rows(KEYS), el('button', {type: 'button', onclick: () => help.close()}, 'close'));

document.addEventListener('keydown', event => {
  const typing = event.target.closest?.('input, select, textarea');
  if (event.key === 'Escape') { if (typing) event.target.blur(); else close(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const act = {'/': () => document.getElementById('search').focus(), '?': () => help.showModal(), n: () => step(1), p: () => step(-1)}[event.key];
  const view = VIEWS[Number.parseInt(event.key, 10) - 1];
  if (!act && !view) return;
  event.preventDefault();
  if (act) act(); else { state.view = view; go(); }
});

function read() {
  readAddress();
  parts.filters.replaceChildren(filterBar(changed));
  return draw();
}

function footer() {
  const shards = DATA.shards.filter(it => it[1] !== 'complete').map(it => `${it[0]} ${it[1]}`);
  return el('footer', null, rows([['plan', DATA.plan], ['shards', `${DATA.shards.length}${shards.length ? `, not whole: ${shards.join(', ')}` : ''}`],
    ['altered evidence', DATA.altered.join(', ')], ['runs', [...new Set(DATA.shards.map(it => it[2]).filter(Boolean))].join(', ')], ['reasons', link(DATA.reasonsPage, 'docs/reasons.md')]]),
  el('p', null, 'Keys: ', el('button', {type: 'button', onclick: () => help.showModal()}, '?')));
}

document.getElementById('static').remove();
app.append(parts.nav, parts.filters, parts.shown, el('div', {class: 'columns'}, parts.view, parts.panel), footer(), help);
app.hidden = false;
window.addEventListener('popstate', read);
window.addEventListener('hashchange', read);
read();
