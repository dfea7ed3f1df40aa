// All that is known of one case: what, why, since when, whose, and how to repeat it.

async function detailsView(i, attempt, chooseAttempt) {
  const found = await detailsOf(i);
  const view = el('div', {class: 'details'});
  const [symbol, meaning] = sign(i);
  view.append(el('p', {class: 'meaning'}, el('span', {class: `sign ${verdictOf(i)}`}, symbol), ` ${meaning}: ${outcomeOf(i).replace('-', ' ')}`,
    found.flaky ? `, ${found.flaky[0]} of ${found.flaky[1]} attempts passed` : '', changeOf(i) ? `, ${changeOf(i).replaceAll('-', ' ')}` : ''));
  const attempts = found.attempts;
  if (codeOf(i)) view.append(why(codeOf(i), attempts.find(it => it.reason)));
  const entry = entryOf(i);
  if (entry) {
    view.append(el('h3', null, 'Expectation ', el('code', null, entry.id)), expectation(entry));
    if (found.differs) view.append(el('p', {class: 'todo'}, 'It failed for another reason than this entry tells.'));
  }
  if (found.inputs.length) {
    view.append(el('h3', null, 'What changed since the baseline'));
    for (const [what, base, head] of found.inputs) view.append(el('p', {class: 'input'}, `${what}: `, el('code', null, base ?? 'not known'), ' → ', el('code', null, head ?? 'not known')));
  }
  if (found.history) view.append(stripView(found.history));
  if (attempts.length) view.append(attemptsView(attempts, attempt, chooseAttempt));
  return view;
}

function why(code, attempt) {
  const box = el('section', {class: 'why'}, el('h3', null, 'Why: ', el('code', null, code), attempt && attempt.reason.side !== 'unknown' ? ` (${attempt.reason.side})` : ''));
  if (attempt) box.append(el('pre', null, attempt.reason.text));
  box.append(explained(code));
  return box;
}

function stripView(history) {
  const strip = el('p', {class: 'strip', role: 'img', 'aria-label': `Last ${history.strip.length} runs, the newest last`});
  const runs = DATA.runs.slice(-history.strip.length);
  [...history.strip].forEach((letter, number) => {
    const [symbol, style, meaning] = STRIP[letter];
    strip.append(el('span', {class: `sign ${style}`, title: `${runs[number][1].slice(0, 10)} ${runs[number][0]}: ${meaning} ${history.codes[number] || ''}`}, symbol));
  });
  const label = history.flaky === null ? 'too few runs for a label' : history.flaky ? `flaky, not green in at least ${Math.round(100 * history.atLeast)} % of runs` : 'always the same';
  return el('section', null, el('h3', null, 'History'), strip, el('p', null, `with its newest images not green in ${history.notGreen} of ${plural(history.of, 'run')}; ${label}`));
}

function attemptsView(attempts, chosen, choose) {
  const red = attempts.findIndex(it => it.outcome !== 'passed');
  const shown = Math.min(attempts.length - 1, chosen || (red < 0 ? 0 : red));
  const tabs = el('div', {class: 'tabs', role: 'tablist', 'aria-label': 'Attempts'});
  attempts.forEach((it, number) => tabs.append(el('button', {type: 'button', role: 'tab', 'aria-selected': String(number === shown), onclick: () => choose(number)},
    `${it.kind} ${it.number}: ${it.outcome}${it.superseded ? ' (superseded)' : ''}`)));
  return el('section', null, el('h3', null, 'Attempts'), tabs, el('div', {role: 'tabpanel', tabindex: 0}, attemptView(attempts[shown])));
}

function attemptView(attempt) {
  const view = el('div', {class: 'attempt'});
  if (attempt.reason) view.append(el('pre', null, attempt.reason.text));
  if (attempt.timeline) view.append(timelineView(attempt.timeline));
  else view.append(el('p', {class: 'note'}, DATA.evidence ? 'No timeline: its evidence is not at hand, was altered, or there was no room for it.' : 'No timeline: this page was made of merged results without the evidence.'));
  view.append(rows([
    ['started', attempt.started && el('time', {datetime: attempt.started, title: new Date(attempt.started).toString()}, attempt.started)],
    ['took', Object.entries(attempt.durations).map(it => `${it[0]} ${milliseconds(it[1])}`).join(', ')],
    ['measured', Object.entries(attempt.metrics).map(it => `${it[0]} ${it[1]}`).join(', ')],
    ['negotiated', attempt.negotiated && Object.entries(attempt.negotiated).map(it => it.join(' ')).join(', ')],
    ['stack', attempt.proof], ['published', attempt.published.join(', ')], ['warnings', attempt.warnings.join('; ')],
    ...Object.entries(attempt.roles).map(([role, it]) => [role, el('span', null, `${it.version}, `, ended(it), it.digest ? [', image ', el('code', {title: it.digest}, it.digest.slice(0, 19))] : '', it.key ? [', sources ', el('code', {title: it.key}, it.key.slice(0, 19))] : '')]),
    ['engine', named(attempt.engine)], ['host', named(attempt.host)], ['limits', named(attempt.limits)], ['seed', attempt.seed],
    ['run', `${attempt.run}, shard ${attempt.shard}`], ['reused from', attempt.reused && `${attempt.reused[0]}, attempt ${attempt.reused[1]}`],
  ]));
  if (attempt.evidence.length) {
    const list = el('ul', {class: 'files'});
    for (const [role, stream, path, size, address] of attempt.evidence) {
      const text = `${role} ${stream}`;
      list.append(el('li', {title: path}, address ? el('a', {href: address}, text) : text, ` ${size.toLocaleString('en')} bytes`));
    }
    view.append(el('details', null, el('summary', null, plural(attempt.evidence.length, 'file')), list));
  }
  if (attempt.repro) view.append(el('p', {class: 'repro'}, el('code', null, attempt.repro), copyButton(attempt.repro)));
  return view;
}

const named = it => Object.entries(it).map(pair => pair.join(' ')).join(', ');

function ended(role) {
  if (role.oom) return 'ran out of memory';
  if (role.signal !== null) return `was ended by signal ${role.signal}`;
  return role.exit === null ? 'did not end by itself' : `exited ${role.exit}`;
}

function copyButton(text) {
  const button = el('button', {type: 'button', onclick: () => navigator.clipboard?.writeText(text).then(() => { button.textContent = 'copied'; })}, 'copy');
  return button;
}
