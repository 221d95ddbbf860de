import redis from 'k6/experimental/redis';

const socket = { host: 'h' };
const tried = [
  [], [1], [null], [undefined], [true], [[]], [() => 1], ['a', 'b'], [''], ['localhost:6379'], ['127.0.0.1:6379'], ['http://x'],
  ['redis://'], ['redis://h:abc'], ['redis://h/x'], ['redis://h/1/2'], ['redis://h?foo=1&bar=2'], ['redis://h?db=x'],
  ['redis://h?max_retries=x'], ['redis://h?dial_timeout=x'], ['redis://h?pool_fifo=x'], ['redis://h?read_timeout=2s&client_name=x'],
  ['rediss://h'], ['unix:///tmp/x'], ['redis:///1'], ['redis://:p@h:1/2'], ['redis://h:99999'], ['redis://a b'], ['redis://%zz'],
  [{}], [{ socket: {} }], [{ socket: null }], [{ socket: 1 }], [{ socket }], [{ socket: { host: 1 } }], [{ socket: { host: 'h', port: '1' } }],
  [{ socket: { host: 'h', port: 1.5 } }], [{ socket: { host: 'h', foo: 1 } }], [{ foo: 1 }], [{ Socket: { HOST: 'h' } }],
  [{ socket, database: '1' }], [{ socket, username: 5 }], [{ socket, username: null }], [{ socket, f: () => 1 }], [{ socket: { host: 'h', tls: {} } }],
  [{ socket: { host: 'h', tls: { ca: 'x' } } }], [{ socket: { host: 'h', tls: { ca: ['x'], cert: 'a', key: 'b' } } }],
  [{ socket: { host: 'h', tls: { ca: [1] } } }], [{ socket: { host: 'h', tls: true } }], [{ cluster: 1 }], [{ cluster: {} }],
  [{ cluster: { nodes: [] } }], [{ cluster: { nodes: [1] } }], [{ cluster: { nodes: ['redis://a', 'redis://b'] } }],
  [{ cluster: { nodes: ['redis://a', {}] } }], [{ cluster: { nodes: ['redis://a', 'http://b'] } }], [{ cluster: { nodes: ['redis://a/1', 'redis://b/2'] } }],
  [{ cluster: { nodes: ['redis://u:p@a', 'redis://v:p@b'] } }], [{ cluster: { nodes: ['redis://a?dial_timeout=1', 'redis://b?dial_timeout=2'] } }],
  [{ cluster: { nodes: [{ socket }, { socket: { host: 'i', port: 'x' } }] } }], [{ cluster: { nodes: [{ host: 'h' }] } }],
  [{ cluster: { nodes: [{ socket }], maxRedirects: 'x' } }], [{ cluster: { nodes: [{ socket }], readOnly: 1 } }], [{ masterName: 'm' }],
  [{ masterName: 1, socket }], [{ masterName: 'm', socket: { host: 'h', port: 'x' } }], [{ sentinelUsername: 'x', socket }],
];
export default function () {
  for (const given of tried) {
    try {
      const client = new redis.Client(...given);
      console.log(JSON.stringify(given), 'taken', client.isConnected());
    } catch (error) {
      console.log(JSON.stringify(given), String(error));
    }
  }
}
