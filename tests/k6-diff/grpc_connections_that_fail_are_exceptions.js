import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

export default function () {
  const connect = (address, params) => new grpc.Client().connect(address, Object.assign({ plaintext: true, timeout: 300 }, params));
  attempt('refused', () => connect('127.0.0.1:1'));
  attempt('refused with TLS', () => connect('127.0.0.1:1', { plaintext: false }));
  attempt('no port', () => connect('127.0.0.1'));
  attempt('scheme', () => connect('http://127.0.0.1:1'));
  attempt('empty', () => connect(''));
  attempt('nothing', () => connect(undefined));
  attempt('TLS where there is none', () => connect(__ENV.GRPC, { plaintext: false }));
  attempt('HTTP/1.1', () => connect(__ENV.BASE.replace('http://', '')));
  attempt('resolver', () => connect(`dns:///${__ENV.GRPC}`));
}
