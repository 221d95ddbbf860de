// Checks which members of k6's reference exist: tries all that `MEMBERS` lists and prints those that it finds.
import exec from 'k6/execution';
import http from 'k6/http';

export const options = { iterations: 1 };

const wanted = JSON.parse(open(__ENV.MEMBERS));

// A module that this driver does not have counts as one without members.
function load(name) {
  try {
    return require(name) || {};
  } catch (_) {
    return {};
  }
}

const modules = {};
for (const subject of Object.keys(wanted)) {
  const name = subject.split(' ')[0];
  if (name.startsWith('k6')) modules[name] = load(name);
}

const metrics = modules['k6/metrics'];
const counter = new metrics.Counter('surface_counter');
const shared = new modules['k6/data'].SharedArray('shared', () => [1]);
const client = new modules['k6/net/grpc'].Client();
client.load([`${__ENV.DATA}/grpc`], 'lab.proto');
const file = await modules['k6/experimental/fs'].open(`${__ENV.DATA}/people.csv`);
const parser = new modules['k6/experimental/csv'].Parser(file, {});

const HTML = `<form><input><select><option></select></form><a href="/"></a><table><tr><td></td></tr></table>`;

// The objects that a script receives from the modules.
function subjects() {
  const page = modules['k6/html'].parseHTML(HTML);
  const element = (selector) => page.find(selector).get(0);
  const sockets = modules['k6/experimental/websockets'];
  const { ReadableStream, WritableStream, CountQueuingStrategy } = modules['k6/experimental/streams'];
  const readable = new ReadableStream({ pull() {} });
  const writable = WritableStream ? new WritableStream() : undefined;
  const writer = writable ? writable.getWriter() : {};
  const socket = new sockets.WebSocket(`${__ENV.SOCKET}/echo`);
  socket.addEventListener('open', () => socket.close());
  client.connect(__ENV.GRPC, { plaintext: true });
  const stream = new modules['k6/net/grpc'].Stream(client, 'lab.v1.Lab/Chat');
  stream.on('error', () => {});
  stream.end();
  return {
    'global': globalThis,
    'global console': console,
    'global crypto': crypto,
    'global crypto.subtle': crypto.subtle,
    'k6/crypto Hasher': modules['k6/crypto'].createHash('md5'),
    'k6/data SharedArray': shared,
    'k6/execution instance': exec.instance,
    'k6/execution scenario': exec.scenario,
    'k6/execution test': exec.test,
    'k6/execution vu': exec.vu,
    'k6/execution vu.metrics': exec.vu.metrics,
    'k6/experimental/csv Parser': parser,
    'k6/experimental/fs File': file,
    'k6/experimental/fs SeekMode': modules['k6/experimental/fs'].SeekMode,
    'k6/experimental/streams CountQueuingStrategy': new CountQueuingStrategy({ highWaterMark: 1 }),
    'k6/experimental/streams ReadableStream': readable,
    'k6/experimental/streams ReadableStreamDefaultReader': readable.getReader(),
    'k6/experimental/streams WritableStream': writable || {},
    'k6/experimental/streams WritableStreamDefaultWriter': writer,
    'k6/experimental/websockets Blob': new sockets.Blob(['a']),
    'k6/experimental/websockets WebSocket': socket,
    'k6/html Element': element('form'),
    'k6/html FormElement': element('form'),
    'k6/html InputElement': element('input'),
    'k6/html LinkElement': element('a'),
    'k6/html OptionElement': element('option'),
    'k6/html SelectElement': element('select'),
    'k6/html Selection': page,
    'k6/html TableElement': element('table'),
    'k6/http CookieJar': http.cookieJar(),
    'k6/http Response': http.get(`${__ENV.BASE}/json`),
    'k6/http Response.timings': http.get(`${__ENV.BASE}/json`).timings,
    'k6/metrics Metric': counter,
    'k6/net/grpc Client': client,
    'k6/net/grpc Response': client.invoke('lab.v1.Lab/Wait', {}),
    'k6/net/grpc Stream': stream,
    'k6/secrets': modules['k6/secrets'].default || modules['k6/secrets'],
  };
}

export default function () {
  const all = { ...modules, ...subjects() };
  modules['k6/ws'].connect(`${__ENV.SOCKET}/echo`, null, (socket) => {
    all['k6/ws Socket'] = socket;
    socket.close();
  });
  const found = {};
  for (const [subject, names] of Object.entries(wanted)) {
    const value = all[subject];
    if (value === undefined) throw new Error(`nobody knows how to get ${subject}`);
    found[subject] = names.filter((name) => name in value || value[name] !== undefined);
  }
  console.log(`FOUND ${JSON.stringify(found)}`);
}
