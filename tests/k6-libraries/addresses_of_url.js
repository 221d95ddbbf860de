import { URL, URLSearchParams } from 'https://jslib.k6.io/url/1.0.0/index.js';

export const options = { iterations: 1 };

export default function () {
  const url = new URL('../b/./c?x=1&x=2&y=%20z#part', 'https://user:pass@Example.com:8443/a/d/');
  url.searchParams.append('q', 'a b&c=d+ü');
  url.hash = 'other';
  for (const key of ['href', 'origin', 'protocol', 'username', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']) {
    console.log(key, url[key]);
  }
  const params = new URLSearchParams([['b', '2'], ['a', '1'], ['b', '3']]);
  params.sort();
  params.delete('a');
  console.log(params.toString(), params.getAll('b').join(), params.has('a'), [...params].join('|'));
  console.log(new URLSearchParams({ k: 'v w' }).toString(), new URL('http://ü.example/ä?ö').href);
  try {
    console.log(new URL('no scheme'));
  } catch (error) {
    console.log(error.name, error.message);
  }
}
