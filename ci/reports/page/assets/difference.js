// What is not as it was in the baseline: newly failing cases in groups by what they have in common, then the rest.

const MOST_SHOWN = 200;

function differenceView(shown, open) {
  const {summary, base, culprits, removed} = DATA.difference;
  const view = el('div', {class: 'difference'}, el('p', {class: 'meaning'}, `${summary}; compared with ${base.length ? `run ${base.join(', ')}` : 'an earlier run'}`));
  for (const culprit of culprits) {
    const members = culprit.cases.filter(i => shown[i]);
    if (!members.length) continue;
    view.append(el('section', null, el('h2', null, `newly failing: ${culprit.common}`),
      culprit.inputs.map(([what, before, now]) => el('p', {class: 'input'}, `what changed: ${what}: `, el('code', null, before ?? 'not known'), ' → ', el('code', null, now ?? 'not known'))),
      lines(members, open)));
  }
  for (const change of DATA.changes.filter(it => it !== 'newly-failing')) {
    const members = [];
    for (let i = 0; i < COUNT; i++) if (shown[i] && changeOf(i) === change) members.push(i);
    if (members.length) view.append(el('section', null, el('h2', null, `${change.replaceAll('-', ' ')}: ${plural(members.length, 'case')}`), lines(members, open)));
  }
  if (removed.length) view.append(el('section', null, el('h2', null, `removed: ${plural(removed.length, 'case')}`), el('ul', null, removed.slice(0, MOST_SHOWN).map(it => el('li', null, it)))));
  return view;
}

function lines(members, open) {
  const list = el('div', {role: 'list'}, members.slice(0, MOST_SHOWN).map(i => oneLine(i, open)));
  if (members.length > MOST_SHOWN) list.append(el('p', null, `and ${plural(members.length - MOST_SHOWN, 'more case')}, with the filter in the list`));
  return list;
}
