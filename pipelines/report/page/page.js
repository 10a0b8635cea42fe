'use strict';
(() => {
  const $ = id => document.getElementById(id);
  const data = JSON.parse($('data').textContent);
  const { strings, columns, numbers } = data;
  const rows = columns.text ? columns.text.length : 0;
  const group = n => String(n).replace(/\B(?=(\d{3})+$)/g, ',');

  // make builds an element; what it holds is always text or elements, never markup.
  function make(name, className, ...children) {
    const e = document.createElement(name);
    if (className) e.className = className;
    e.append(...children);
    return e;
  }

  // shown gives a text in which nothing is hidden: what has no shape or changes what is around it is
  // a mark of its own, and a long run of one such character is one. Joiners stay, as scripts and emoji are
  // written with them. Marks are dear to lay out: behind many of them the rest is plain.
  const hidden = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
  const runs = /((?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}])\1{7,}|(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;
  const most = 200;
  function shown(text, className) {
    const e = make('bdi', className);
    let from = 0, marks = 0;
    for (const m of text.matchAll(runs)) {
      if (marks++ === most) break;
      const c = m[1] ?? m[0], code = c.codePointAt(0);
      if (m.index > from) e.append(text.slice(from, m.index));
      from = m.index + m[0].length;
      const name = 'U+' + code.toString(16).toUpperCase().padStart(4, '0');
      const sign = code === 10 ? '↵' : code < 32 ? String.fromCharCode(0x2400 + code) : name;
      const mark = make('span', 'c', m[1] ? sign + ' × ' + m[0].length / c.length : sign);
      mark.title = name;
      e.append(mark);
      if (code === 10) e.append('\n');
    }
    e.append(text.slice(from).replace(hidden, marks > most ? '▯' : '$&'));
    return e;
  }

  const cell = (column, i) => strings[column][columns[column][i]];
  const role = condition => data.roles[data.conditions.indexOf(condition)] || 'other';
  const alphas = strings.alpha.map((a, i) => i).sort((a, b) => strings.alpha[a] - strings.alpha[b]);
  const judged = i => (data.judged[columns.persona[i] + ' ' + columns.condition[i]] || [columns.alpha[i], columns.alpha[i]])[columns.prompt_id[i] % 2];

  function textOf(i, withPrompt) {
    const p = make('div', 'text');
    if (withPrompt) p.append(shown(cell('prompt', i), 'before'));
    const text = cell('text', i);
    p.append(text ? shown(text) : make('span', 'empty', 'no text'));
    if (text.length > 500) { // it scrolls, by the keyboard as well
      p.tabIndex = 0;
      p.setAttribute('role', 'group');
      p.setAttribute('aria-label', 'text');
    }
    return p;
  }
  function scoresOf(i) {
    const list = numbers.map(n => n.name.replaceAll('_', ' ') + ' ' + (n.values[i] ?? '–'));
    return make('p', 'marks', list.join(' · ') + ' · ' + columns.tokens[i] + ' tokens');
  }
  function notesOf(i) {
    const out = [], flags = cell('flags', i), status = cell('status', i);
    if (flags) for (const f of flags.split('\n')) out.push(make('p', 'marks flag', '⚑ collapsed: ', shown(f)));
    if (status) out.push(make('p', 'marks flag', shown(status)));
    return out;
  }
  function detailsOf(i) {
    const d = make('details', '', make('summary', '', 'details'));
    const say = (name, text) => { if (text) d.append(make('div', '', name + ' ', shown(text))); };
    say('line of rows.jsonl:', String(i + 1));
    say('vector', cell('vector', i));
    say('generations', cell('generations', i));
    if (columns.draw[i]) say('draw', String(columns.draw[i]));
    if (cell('text', i).length > data.width) say('', 'The text is cut here; the whole of it is in that line.');
    return d;
  }
  function headOf(i, more) {
    const alpha = cell('alpha', i);
    const h = make('div', 'head', make('b', '', shown(cell('condition', i))));
    h.append(make('span', '', alpha === '0' ? 'no vector added' : 'alpha ' + alpha));
    for (const m of more) h.append(make('span', '', m));
    return h;
  }

  function options(id, list, first) {
    const s = $(id);
    if (first !== undefined) s.append(new Option(first, ''));
    for (const [value, text] of list) s.append(new Option(text, value));
  }
  const clip = (t, n) => { const r = Array.from(t); return r.length > n ? r.slice(0, n - 1).join('') + '…' : t; };
  const flat = t => t.replace(hidden, ' ');

  // Side by side.
  const prompts = [];
  for (let i = 0; i < rows; i++) prompts[columns.prompt_id[i]] ??= columns.prompt[i];
  const seeds = strings.seed || [];
  options('side-persona', strings.persona.map((p, i) => [i, flat(p)]));
  options('side-prompt', Object.keys(prompts).map(k => [k, (+k + 1) + '. ' + clip(flat(strings.prompt[prompts[k]]), 90)]));
  options('side-seed', seeds.map((s, i) => [i, s]));
  options('side-alpha', alphas.filter(a => strings.alpha[a] !== '0').map(a => [a, strings.alpha[a]]), 'as judged');

  const order = ['baseline', 'mapped', 'held out', 'oracle', 'other', 'control'];
  function side() {
    const persona = +$('side-persona').value, prompt = +$('side-prompt').value, seed = +$('side-seed').value, alpha = $('side-alpha').value;
    const found = new Map();
    for (let i = 0; i < rows; i++) {
      if (columns.persona[i] !== persona || columns.prompt_id[i] !== prompt || columns.seed[i] !== seed) continue;
      const want = alpha === '' ? judged(i) : +alpha, c = cell('condition', i);
      if ((columns.alpha[i] === want || cell('alpha', i) === '0') && !found.has(c)) found.set(c, i);
    }
    const names = [...found.keys()].sort((a, b) => order.indexOf(role(a)) - order.indexOf(role(b)));
    $('side-prompt-text').replaceChildren(...(prompts[prompt] === undefined ? [] : [shown(strings.prompt[prompts[prompt]])]));
    $('side').replaceChildren(...names.map(name => {
      const i = found.get(name);
      return make('article', 'card ' + role(name), headOf(i, []), textOf(i, false), ...notesOf(i), scoresOf(i), detailsOf(i));
    }));
    const at = $('side-prompt').selectedIndex;
    $('side-before').disabled = at <= 0;
    $('side-after').disabled = at >= $('side-prompt').length - 1;
  }
  for (const id of ['side-persona', 'side-prompt', 'side-seed', 'side-alpha']) $(id).addEventListener('change', side);
  const walk = by => () => { $('side-prompt').selectedIndex += by; side(); };
  $('side-before').addEventListener('click', walk(-1));
  $('side-after').addEventListener('click', walk(1));
  function compare(i) {
    $('side-persona').value = columns.persona[i];
    $('side-prompt').value = columns.prompt_id[i];
    $('side-seed').value = columns.seed[i];
    const a = cell('alpha', i);
    $('side-alpha').value = a === '0' || columns.alpha[i] === judged(i) ? '' : columns.alpha[i];
    side();
    $('side-h').scrollIntoView();
    $('side-persona').focus({ preventScroll: true });
  }

  // All texts.
  options('all-persona', strings.persona.map((p, i) => [i, flat(p)]), 'all');
  options('all-condition', strings.condition.map((c, i) => [i, flat(c)]), 'all');
  options('all-alpha', alphas.map(a => [a, strings.alpha[a]]), 'all');
  options('all-order', numbers.flatMap((n, k) => [[k + ' -1', n.name.replaceAll('_', ' ') + ', highest first'], [k + ' 1', n.name.replaceAll('_', ' ') + ', lowest first']]), 'as in rows.jsonl');
  const size = 20;
  let hits = [], page = 0, folded = null;

  function filter() {
    const words = $('all-search').value.toLowerCase().trim();
    const persona = $('all-persona').value, condition = $('all-condition').value, alpha = $('all-alpha').value, collapsed = $('all-collapsed').value;
    let inText = null, inPrompt = null;
    if (words) {
      folded ??= [strings.text.map(t => t.toLowerCase()), strings.prompt.map(t => t.toLowerCase())];
      [inText, inPrompt] = folded.map(list => list.map(t => t.includes(words)));
    }
    hits = [];
    for (let i = 0; i < rows; i++) {
      if (persona !== '' && columns.persona[i] !== +persona) continue;
      if (condition !== '' && columns.condition[i] !== +condition) continue;
      if (alpha !== '' && columns.alpha[i] !== +alpha) continue;
      if (collapsed && (cell('flags', i) !== '') !== (collapsed === 'yes')) continue;
      if (words && !inText[columns.text[i]] && !inPrompt[columns.prompt[i]]) continue;
      hits.push(i);
    }
    if ($('all-order').value) {
      const [k, sign] = $('all-order').value.split(' ').map(Number), v = numbers[k].values;
      const last = x => x ?? Infinity * sign;
      hits.sort((a, b) => { const x = last(v[a]), y = last(v[b]); return x === y ? a - b : x < y ? -sign : sign; });
    }
    page = 0;
    list();
  }
  function list() {
    const pages = Math.max(1, Math.ceil(hits.length / size));
    const cut = data.rows > rows ? '; the page has room for ' + group(rows) + ' of ' + group(data.rows) + ' texts, rows.jsonl has all' : '';
    $('all-count').textContent = hits.length === rows ? group(rows) + ' texts' + cut : group(hits.length) + ' of ' + group(rows) + ' texts match' + cut;
    $('all-page').textContent = 'page ' + (page + 1) + ' of ' + group(pages);
    $('all-before').disabled = page === 0;
    $('all-after').disabled = page >= pages - 1;
    $('all').replaceChildren(...hits.slice(page * size, (page + 1) * size).map(i => {
      const button = make('button', '', 'Side by side');
      button.type = 'button';
      button.addEventListener('click', () => compare(i));
      return make('li', '', headOf(i, [shown(cell('persona', i)), 'prompt ' + (columns.prompt_id[i] + 1), 'seed ' + cell('seed', i)]),
        textOf(i, true), ...notesOf(i), make('div', 'foot', scoresOf(i), button), detailsOf(i));
    }));
  }
  for (const id of ['all-persona', 'all-condition', 'all-alpha', 'all-collapsed', 'all-order']) $(id).addEventListener('change', filter);
  $('all-search').addEventListener('input', filter);
  const turn = by => () => { page += by; list(); $('all-h').scrollIntoView(); };
  $('all-before').addEventListener('click', turn(-1));
  $('all-after').addEventListener('click', turn(1));
  $('all-reset').addEventListener('click', () => { $('all-controls').reset(); filter(); });
  for (const f of document.forms) f.addEventListener('submit', e => e.preventDefault());

  // Light and dark: what the system says, until the button says otherwise.
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = () => (document.documentElement.dataset.theme || (system.matches ? 'dark' : 'light')) === 'dark';
  const name = () => { $('theme').textContent = dark() ? 'Light' : 'Dark'; $('theme').setAttribute('aria-label', dark() ? 'Switch to light colours' : 'Switch to dark colours'); };
  $('theme').addEventListener('click', () => { document.documentElement.dataset.theme = dark() ? 'light' : 'dark'; name(); });
  system.addEventListener('change', name);

  name();
  $('theme').hidden = false;
  $('browser').hidden = false;
  side();
  filter();
})();
