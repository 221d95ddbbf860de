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
  for (const [name, params] of [['null', null], ['undefined', undefined], ['number', 3], ['text', 'abc'], ['true', true], ['list', []], ['function', () => 1], ['unknown', { unknown: 1, Headers: { a: 'b' } }], ['jar null', { jar: null }], ['jar odd', { jar: {} }], ['jar text', { jar: 'x' }], ['auth null', { auth: null }], ['auth odd', { auth: 'unheard' }], ['auth number', { auth: 5 }],
    ['throw text', { throw: 'yes' }], ['throw null', { throw: null }], ['responseType odd', { responseType: 'json' }], ['responseType null', { responseType: null }], ['responseType number', { responseType: 1 }], ['compression odd', { compression: 'lzma' }], ['compression null', { compression: null }], ['compression empty', { compression: '' }], ['compression list', { compression: ['gzip'] }], ['callback odd', { responseCallback: () => true }], ['callback number', { responseCallback: 200 }], ['callback null', { responseCallback: null }], ['callback undefined', { responseCallback: undefined }]])
    tell(name, () => http.post(`${__ENV.BASE}/back`, 'x', params));
}
