import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const url of ['no-scheme', 'ftp://a/', 'http://a b/', 'http://[::1', 'http://a:port/', 'http://h\x7f/', '/path', 'http://%zz/', '<%= url %>', 'a/%zz?b', 'a?%zz']) {
    const r = http.get(url, { timeout: 500 });
    console.log(JSON.stringify(url), r.status, r.error_code, r.error, r.url);
  }
}
