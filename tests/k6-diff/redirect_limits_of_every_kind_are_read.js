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
  for (const redirects of [0, 1, -1, 1.5, '1', 'abc', null, undefined, true, {}, NaN, Infinity])
    tell(`redirects ${JSON.stringify(redirects)}`, () => http.get(`${__ENV.BASE}/redirect/2`, { redirects }));
}
