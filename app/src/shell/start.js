// Starts the page's WebAssembly, which hydrates the page. If hydration is impossible or fails, the page works as without a script.
// Comment lines are removed before the script is sent.
const root = document.documentElement;
const listeners = new AbortController();
const listen = EventTarget.prototype.addEventListener;
let isPlain = false;
let isStarted = false;

// One signal removes every listener of the bundle, so that the browser's own navigation and form submission work if the bundle stops.
EventTarget.prototype.addEventListener = function (type, listener, options) {
  const own = typeof options === 'object' && options ? options : { capture: !!options };
  listen.call(this, type, listener, own.signal ? own : { ...own, signal: listeners.signal });
};

// The page's nodes up to the icons. Browser extensions and proxies may add nodes after them.
const own = () => {
  const nodes = [...document.body.childNodes];
  const icons = nodes.findIndex((node) => node.localName === 'svg');
  return nodes.slice(0, icons < 0 ? nodes.length : icons);
};

// The shape of the page, computed as in `shape.rs`.
const shape = () => {
  let hash = 2166136261;
  const add = (text) => {
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
  };
  const walk = (nodes) => {
    for (const node of nodes) {
      if (node.nodeType === 1) {
        add('<' + node.localName);
        if (!/^(script|style|textarea)$/.test(node.localName)) walk(node.childNodes);
        add('>');
      } else add(node.nodeType === 3 ? 't' : '!');
    }
  };
  walk(own());
  return String(hash >>> 0);
};

// Replaces the nodes by copies, which have no listeners and are unknown to the bundle.
const detach = () => {
  const focused = document.activeElement?.id;
  for (const node of own()) {
    const copy = node.cloneNode(true);
    if (node.querySelectorAll) {
      const chosen = [...node.querySelectorAll('select')].map((select) => select.value);
      copy.querySelectorAll('select').forEach((select, index) => (select.value = chosen[index]));
      copy.querySelectorAll('[aria-busy]').forEach((busy) => busy.removeAttribute('aria-busy'));
    }
    node.replaceWith(copy);
  }
  if (focused) document.getElementById(focused)?.focus();
};

const fail = (reason) => {
  if (isPlain) return;
  isPlain = true;
  listeners.abort();
  root.dataset.script = 'off';
  if (isStarted) detach();
  listen.call(window, 'pagehide', () => {
    for (const text of document.querySelectorAll('#secret-value, #secret-command')) text.textContent = '';
  });
  const headers = { 'Content-Type': 'text/plain' };
  fetch('/page-reports', { method: 'POST', headers, body: reason.slice(0, 160), keepalive: true }).catch(() => {});
};

listen.call(window, 'error', ({ error }) => error instanceof WebAssembly.RuntimeError && fail('trapped'));
listen.call(window, 'unhandledrejection', ({ reason }) => reason instanceof WebAssembly.RuntimeError && fail('trapped'));

// Reasons that block leaving the page: a response is awaited, a secret is not copied yet, or typed text is not saved.
const holds = new Set();
let isReturning = false;
let repeat = () => {};
const leads = (link, { button, ctrlKey, metaKey, shiftKey }) =>
  !(button || ctrlKey || metaKey || shiftKey || link.target) &&
  /^http/.test(link.protocol) &&
  link.pathname !== location.pathname &&
  // These close the form, which asks itself, or follow its outcome.
  !link.closest('.dialog-header, .dialog-actions, [role=alert]');
const leave = (event) => {
  const { type } = event;
  if (type === 'popstate' && isReturning) {
    isReturning = false;
    event.stopImmediatePropagation();
    return;
  }
  const link = type === 'click' && event.target.closest?.('a[href]');
  const isWayOut = type === 'click' ? link : type !== 'keydown' || event.key === 'Escape';
  const isOfPage = type === 'popstate' || type === 'beforeunload';
  const isOfText = holds.has('text') && (isOfPage || (link && leads(link, event)));
  if (isPlain || !isWayOut || !(holds.has('response') || (holds.has('secret') && isOfPage) || isOfText)) return;
  event.preventDefault();
  if (type === 'popstate') {
    event.stopImmediatePropagation();
    isReturning = true;
    history.forward();
    document.getElementById('secret-dialog')?.dispatchEvent(new Event('cancel', { cancelable: true }));
  } else event.stopPropagation();
  if (isOfText && type !== 'beforeunload' && !holds.has('response')) {
    repeat = link ? () => link.click() : () => history.back();
    dispatchEvent(new Event('leaveblocked'));
  }
};
// Registered before the router's listeners: browsers call listeners in the order of their registration.
for (const type of ['click', 'keydown', 'cancel', 'popstate', 'beforeunload']) listen.call(window, type, leave, true);

// The interface for the bundle (`frontend/src/main.rs`, `browser/dom.rs`). It hydrates in the same task, so that the page cannot change in between.
window.latchkey = {
  mayHydrate: () => {
    const isAsSent = shape() === '%shape%' && [...document.head.childNodes].some(({ nodeType, data }) => nodeType === 8 && data === 'HEAD');
    if (!isAsSent) fail('changed');
    isStarted = isAsSent;
    return isAsSent;
  },
  failed: (file, line) => fail('panicked ' + file.slice(-100) + ':' + line),
  leave: () => repeat(),
  hold: (reason, isHeld) => holds[isHeld ? 'add' : 'delete'](reason),
};

let isAsked = false;
const start = async () => {
  if (isAsked) return;
  isAsked = true;
  try {
    const { default: init } = await import('%script%');
    await init({ module_or_path: '%wasm%' });
    if (!isPlain) root.dataset.script = 'on';
  } catch {
    fail(isStarted ? 'trapped' : 'not loaded');
  }
};
// Starts after the first paint. A hidden tab is not painted: there, the timeout starts it.
requestAnimationFrame(() => setTimeout(start));
setTimeout(start, 200);
