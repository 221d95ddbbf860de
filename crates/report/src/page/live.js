'use strict';
// Takes the parts of the page from the stream. What the reader opened, scrolled or focused stays so.
(() => {
  const link = document.getElementById('live-link');
  const of = (part, what) => [...part.querySelectorAll(what)];
  const replace = (old, part) => {
    const [folds, boxes] = [of(old, 'details'), of(old, '.scroll')];
    of(part, 'details').forEach((fold, at) => { fold.open = folds[at]?.open ?? fold.open; });
    const left = boxes.map((box) => box.scrollLeft);
    const focus = boxes.indexOf(document.activeElement);
    old.replaceWith(part);
    of(part, '.scroll').forEach((box, at) => {
      box.scrollLeft = left[at] ?? 0;
      if (at === focus) box.focus({ preventScroll: true });
    });
  };
  const show = (html) => {
    const fresh = new DOMParser().parseFromString(html, 'text/html');
    for (const part of of(fresh, '[data-part]')) {
      const old = document.getElementById(part.id);
      if (old && old.innerHTML !== part.innerHTML) replace(old, document.adoptNode(part));
    }
  };
  const source = new EventSource('events');
  source.addEventListener('parts', (event) => { show(event.data); link.textContent = ''; });
  source.addEventListener('end', (event) => {
    source.close();
    link.textContent = event.data;
    of(document, 'form.controls').forEach((form) => form.remove());
  });
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) return;
    link.textContent = 'The connection is lost: these are the last figures that arrived.';
  };
})();
