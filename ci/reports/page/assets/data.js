// The run: columns of numbers for all cases, and the details of one when they are asked for.

const DATA = JSON.parse(document.getElementById('data').textContent);
const CASES = DATA.cases;
const COUNT = DATA.keys.length / 16;
const HANDSHAKE = 'handshakePlusOneRTTMillis';
const PING = 'pingRTTMilllis';

// By verdict: a sign that needs no colour, and words.
const SIGNS = {
  green: ['✔', 'passed'],
  flaky: ['≈', 'flaky'],
  unexpected: ['✘', 'unexpectedly red'],
  expected: ['✘', 'red or flaky as expected'],
  stale: ['☆', 'not red, though expected to be'],
  grey: ['–', 'left out of the plan'],
  unsupported: ['∅', 'unsupported'],
  incomplete: ['?', 'without a result'],
  error: ['!', 'error of the harness or host'],
};
const STRIP = {p: ['✔', 'green', 'passed'], f: ['✘', 'unexpected', 'failed'], t: ['◷', 'unexpected', 'timed out'],
  u: ['∅', 'unsupported', 'unsupported'], '~': ['≈', 'flaky', 'flaky'], '.': ['·', 'grey', 'not run']};

const keyOf = i => DATA.keys.slice(16 * i, 16 * i + 16);
const first = i => DATA.versions[CASES.first[i]];
const second = i => DATA.versions[CASES.second[i]];
const stackOf = i => DATA.stacks[CASES.stack[i]];
const verdictOf = i => DATA.verdicts[CASES.verdict[i]];
const outcomeOf = i => DATA.outcomes[CASES.outcome[i]];
const codeOf = i => CASES.code[i] < 0 ? '' : DATA.codes[CASES.code[i]];
const reasonOf = i => CASES.reason[i] < 0 ? '' : DATA.reasons[CASES.reason[i]];
const changeOf = i => CASES.change[i] < 0 ? '' : DATA.changes[CASES.change[i]];
const entryOf = i => CASES.expectation[i] < 0 ? null : DATA.expectations[CASES.expectation[i]];
const nameOf = i => `${first(i)} x ${second(i)} (${stackOf(i).name})`;
const number = (name, i) => DATA.numbers[name] ? DATA.numbers[name][i] : null;

function sign(i) {
  const [symbol, words] = SIGNS[verdictOf(i)];
  if (verdictOf(i) === 'expected' && outcomeOf(i) === 'passed') return ['≈', 'flaky as expected'];
  return outcomeOf(i) === 'timed-out' ? ['◷', `${words}, timed out`] : [symbol, words];
}

function words(i) {
  const latency = number(HANDSHAKE, i);
  return `${first(i)} ${DATA.roles[0]}, ${second(i)} ${DATA.roles[1]}, ${stackOf(i).name}: ${sign(i)[1]}` +
    (codeOf(i) ? `, ${codeOf(i)}` : '') + (latency === null ? '' : `, ${milliseconds(latency)}`);
}

const positions = new Map();
for (let i = 0; i < COUNT; i++) positions.set(keyOf(i), i);

const unpacked = new Map();

async function unpack(number) {
  if (!unpacked.has(number)) {
    const text = document.getElementsByClassName('details')[number].textContent.trim();
    const bytes = Uint8Array.from(atob(text), it => it.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
    unpacked.set(number, JSON.parse(await new Response(stream).text()));
  }
  return unpacked.get(number);
}

const detailsOf = async i => (await unpack(Math.floor(i / DATA.block)))[i % DATA.block];
