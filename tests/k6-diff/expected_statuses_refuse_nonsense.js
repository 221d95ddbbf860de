import http from 'k6/http';
export const options = { iterations: 1 };
const attempt = (f) => { try { console.log('fine', typeof f()); } catch (e) { console.log(e.name, e.message); } };
export default function () {
  attempt(() => http.expectedStatuses());
  attempt(() => http.expectedStatuses('200'));
  attempt(() => http.expectedStatuses(200, { min: 1 }));
  attempt(() => http.expectedStatuses({ min: 200, max: 'x' }));
  attempt(() => http.expectedStatuses(200.5));
  attempt(() => http.setResponseCallback(5));
  attempt(() => http.setResponseCallback({}));
  attempt(() => http.expectedStatuses(200, { min: 300, max: 399 }));
}
