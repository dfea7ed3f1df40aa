// Elements are made of text alone: nothing here ever parses markup, whatever the text holds.

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) element.append(child);
  }
  return element;
}

const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// A link only where it is one: an address may be a stranger's.
function link(address, text) {
  return /^https?:\/\//.test(address || '') ? el('a', {href: address, rel: 'noreferrer noopener'}, text) : el('span', null, text);
}

function rows(pairs) {
  const list = el('dl');
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === '') continue;
    list.append(el('dt', null, name), el('dd', null, value));
  }
  return list;
}

const plural = (count, one, many) => `${count.toLocaleString('en')} ${count === 1 ? one : many || `${one}s`}`;

function milliseconds(value) {
  if (value === null || value === undefined) return '';
  return value >= 10000 ? `${(value / 1000).toFixed(1)} s` : `${value >= 100 ? Math.round(value) : +value.toPrecision(2)} ms`;
}
