// Which cases are shown. Kinds of filter are joined by AND, the values of one kind by OR; all of it is in the address.

const KINDS = [
  {key: 'verdict', called: 'verdict', values: DATA.verdicts, of: i => [verdictOf(i)], words: it => SIGNS[it][1]},
  {key: 'code', called: 'reason', values: [...DATA.codes].sort(), of: i => [codeOf(i)]},
  {key: 'version', called: 'version', values: [...DATA.versions].sort(), of: i => [first(i), second(i)]},
  {key: DATA.roles[0], called: DATA.roles[0], values: [...new Set(CASES.first)].map(it => DATA.versions[it]).sort(), of: i => [first(i)]},
  {key: DATA.roles[1], called: DATA.roles[1], values: [...new Set(CASES.second)].map(it => DATA.versions[it]).sort(), of: i => [second(i)]},
  {key: 'family', called: 'family', values: [...new Set(DATA.families)].sort(),
    of: i => [DATA.families[CASES.first[i]], DATA.families[CASES.second[i]]]},
  ...DATA.params.map((param, number) => ({
    key: param.dimension, called: param.called,
    values: [...new Set(DATA.stacks.map(it => it.words[number]).filter(it => it !== null))].sort(),
    of: i => [stackOf(i).words[number]],
  })),
  ...(DATA.difference ? [{key: 'change', called: 'change', values: DATA.changes, of: i => [changeOf(i)], words: it => it.replaceAll('-', ' ')}] : []),
  {key: 'expectation', called: 'expectation', values: DATA.expectations.map(it => it.id), of: i => [entryOf(i) ? entryOf(i).id : '']},
].filter(it => it.values.length > 0);

const VIEWS = ['matrix', 'list', 'plots', 'causes', ...(DATA.difference ? ['difference'] : [])];
const state = {view: VIEWS[0], q: '', cell: '', attempt: 0, metric: '', filters: {}};

function readAddress() {
  const found = new URLSearchParams(location.hash.slice(1));
  state.view = VIEWS.includes(found.get('view')) ? found.get('view') : VIEWS[0];
  state.q = found.get('q') || '';
  state.cell = positions.has(found.get('cell')) ? found.get('cell') : '';
  state.attempt = Number.parseInt(found.get('attempt'), 10) || 0;
  state.metric = DATA.metrics.includes(found.get('metric')) ? found.get('metric') : '';
  state.filters = {};
  for (const kind of KINDS) {
    const values = found.getAll(kind.key).filter(it => kind.values.includes(it));
    if (values.length) state.filters[kind.key] = new Set(values);
  }
}

function address() {
  const made = new URLSearchParams();
  if (state.view !== VIEWS[0]) made.set('view', state.view);
  if (state.q) made.set('q', state.q);
  for (const kind of KINDS) for (const value of state.filters[kind.key] || []) made.append(kind.key, value);
  if (state.metric) made.set('metric', state.metric);
  if (state.cell) made.set('cell', state.cell);
  if (state.cell && state.attempt) made.set('attempt', state.attempt);
  return `#${made}`;
}

// Words of the text are joined by AND; "…" keeps words together, ! turns one round.
function terms(text) {
  return [...text.toLowerCase().matchAll(/(!?)(?:"([^"]*)"?|(\S+))/g)]
    .map(it => ({not: it[1] === '!', text: it[2] ?? it[3]})).filter(it => it.text);
}

const texts = [];

function textOf(i) {
  texts[i] ??= `${nameOf(i)} ${verdictOf(i)} ${outcomeOf(i)} ${codeOf(i)} ${reasonOf(i)} ${changeOf(i)}`.toLowerCase();
  return texts[i];
}

function selected() {
  const asked = terms(state.q);
  const kinds = KINDS.filter(kind => state.filters[kind.key]);
  const shown = new Uint8Array(COUNT);
  let count = 0;
  for (let i = 0; i < COUNT; i++) {
    const fits = kinds.every(kind => kind.of(i).some(it => state.filters[kind.key].has(it)))
      && asked.every(it => textOf(i).includes(it.text) !== it.not);
    shown[i] = fits ? 1 : 0;
    count += shown[i];
  }
  return {shown, count};
}

function counts(kind) {
  const found = new Map(kind.values.map(it => [it, 0]));
  for (let i = 0; i < COUNT; i++) for (const value of new Set(kind.of(i))) if (found.has(value)) found.set(value, found.get(value) + 1);
  return found;
}

function toggle(key, value) {
  const values = state.filters[key] || new Set();
  if (values.has(value)) values.delete(value); else values.add(value);
  if (values.size) state.filters[key] = values; else delete state.filters[key];
}

const filtered = () => state.q !== '' || Object.keys(state.filters).length > 0;

function filterBar(changed) {
  const bar = el('form', {id: 'filters', role: 'search', 'aria-label': 'Filters', onsubmit: it => it.preventDefault()});
  const search = el('input', {type: 'search', id: 'search', placeholder: 'text, "two words", !not', 'aria-label': 'Text in name, verdict or reason (key: /)', value: state.q,
    oninput: () => { state.q = search.value; changed(); }});
  bar.append(search);
  const chips = el('div', {class: 'chips', role: 'group', 'aria-label': 'Verdicts'});
  const numbers = counts(KINDS[0]);
  for (const value of KINDS[0].values.filter(it => numbers.get(it))) {
    chips.append(el('button', {type: 'button', class: `chip ${value}`, 'aria-pressed': String(!!state.filters.verdict?.has(value)),
      onclick: () => { toggle('verdict', value); changed(true); }}, `${SIGNS[value][0]} ${SIGNS[value][1]} `, el('b', null, numbers.get(value))));
  }
  bar.append(chips);
  for (const kind of KINDS.slice(1)) {
    const found = counts(kind);
    const select = el('select', {'aria-label': kind.called, onchange: () => {
      if (select.value) toggle(kind.key, select.value);
      changed(true);
    }}, el('option', {value: ''}, kind.called));
    for (const value of kind.values.filter(it => found.get(it))) {
      const on = state.filters[kind.key]?.has(value);
      select.append(el('option', {value}, `${on ? '✓ ' : ''}${kind.words ? kind.words(value) : value} (${found.get(value)})`));
    }
    bar.append(select);
  }
  return bar;
}

// What is in force, each to be taken away, and how much it hides.
function inForce(count, changed) {
  const line = el('p', {id: 'shown', 'aria-live': 'polite'});
  if (!filtered()) {
    line.append(plural(COUNT, 'case'));
    return line;
  }
  line.append(`${plural(count, 'case')} shown, ${(COUNT - count).toLocaleString('en')} hidden by `);
  if (state.q) line.append(el('button', {type: 'button', class: 'chip', onclick: () => { state.q = ''; changed(true); }}, `text ${state.q} ✕`));
  for (const kind of KINDS) for (const value of state.filters[kind.key] || []) {
    line.append(el('button', {type: 'button', class: 'chip', onclick: () => { toggle(kind.key, value); changed(true); }}, `${kind.called} ${kind.words ? kind.words(value) : value} ✕`));
  }
  line.append(el('button', {type: 'button', onclick: () => { state.q = ''; state.filters = {}; changed(true); }}, 'clear all'));
  return line;
}
