// Shows that a form was sent or a link was followed, until the next page arrives, and sends no form twice. Forms and links work the same
// without it. Comment lines are removed before the script is sent.
(() => {
  const busy = new Set();
  let timer;
  const end = () => {
    for (const element of busy) element.removeAttribute('aria-busy');
    busy.clear();
  };
  const wait = (...elements) => {
    end();
    for (const element of elements) {
      element?.setAttribute('aria-busy', 'true');
      if (element) busy.add(element);
    }
    // The page stays if the person stops its loading.
    clearTimeout(timer);
    timer = setTimeout(end, 35_000);
  };
  const main = () => document.getElementById('main');
  addEventListener('submit', (event) => {
    const { target, submitter, defaultPrevented } = event;
    if (defaultPrevented) return;
    if (busy.has(target)) event.preventDefault();
    else wait(target, submitter, main());
  });
  addEventListener('click', (event) => {
    const link = event.target.closest?.('a[href]');
    const isOther = event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
    if (!link || isOther || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
    if (link.hash && link.pathname + link.search === location.pathname + location.search) return;
    // The page's own script may handle the link after this listener.
    setTimeout(() => event.defaultPrevented || wait(link, main()));
  });
  addEventListener('keydown', ({ key }) => key === 'Escape' && end());
  addEventListener('pagehide', end);
})();
