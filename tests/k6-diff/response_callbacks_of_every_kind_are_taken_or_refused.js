import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const say = (what, f) => { try { const r = f(); console.log(what, typeof r) } catch (e) { console.log(what, 'threw', e.name, e.message) } };
  say('none', () => http.expectedStatuses());
  say('text', () => http.expectedStatuses('200'));
  say('float', () => http.expectedStatuses(200.5));
  say('negative', () => http.expectedStatuses(-1));
  say('large', () => http.expectedStatuses(100000));
  say('null', () => http.expectedStatuses(null));
  say('undefined', () => http.expectedStatuses(undefined));
  say('nan', () => http.expectedStatuses(NaN));
  say('list', () => http.expectedStatuses([200]));
  say('empty', () => http.expectedStatuses({}));
  say('min only', () => http.expectedStatuses({ min: 200 }));
  say('max only', () => http.expectedStatuses({ max: 200 }));
  say('text limits', () => http.expectedStatuses({ min: '200', max: '300' }));
  say('turned', () => http.expectedStatuses({ min: 300, max: 200 }));
  say('second', () => http.expectedStatuses(200, 'x'));
  say('true', () => http.expectedStatuses(true));
  say('set number', () => http.setResponseCallback(200));
  say('set text', () => http.setResponseCallback('x'));
  say('set function', () => http.setResponseCallback(() => true));
  say('set object', () => http.setResponseCallback({}));
  say('set undefined', () => http.setResponseCallback(undefined));
  say('set nothing', () => http.setResponseCallback());
  say('set null', () => http.setResponseCallback(null));
  http.get(`${__ENV.BASE}/status/500`);
}
