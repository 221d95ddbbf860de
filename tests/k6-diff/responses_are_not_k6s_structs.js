// differs in console: here methods accept any number of arguments, and properties can be added to a response
import http from 'k6/http';

export const options = { iterations: 1 };

export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  for (const name of ['json', 'html', 'submitForm', 'clickLink']) console.log(name, r[name].length);
  try {
    r.foo = 1;
    console.log(r.foo);
  } catch (error) {
    console.log(String(error).slice(0, 9));
  }
}
