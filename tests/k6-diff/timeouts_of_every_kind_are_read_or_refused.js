import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const tell = (what, f) => {
    try {
      const r = f();
      console.log(what, r && r.status, r && r.error_code, r && r.error);
    } catch (e) {
      console.log(what, 'threw', e.name, e.message);
    }
  };
  for (const timeout of [0, -1, 1e9, '0', '10s', '1m', '1h1m1s', 'abc', '', ' 1s', '1.5s', null, undefined, true, {}, [], [5000], NaN, '1d', '-1s', { valueOf: () => 5000 }])
    tell(`timeout ${JSON.stringify(timeout)}`, () => http.get(`${__ENV.BASE}/json`, { timeout }));
}
