import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

const metadata = [
  { 'X-My': 'v', 'x-other': 'w' },
  { 'x-some-bin': new Uint8Array([0, 255, 1]) },
  { 'x-some-bin': 'text' },
  { 'x-list': ['a', 'b'] },
  { 'x-number': 5 },
  { 'x-bytes': new Uint8Array([1, 2]) },
  { 'x b': 'v' },
  { 'x-u': 'ü' },
  { 'x-line': 'a\nb' },
  { '': 'x' },
  { ':y': 'z', 'content-type': 'q', 'user-agent': 'me', te: 'x' },
  {},
  null,
  'x',
  5,
];

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  for (const pairs of metadata) {
    attempt(JSON.stringify(pairs), () => client.invoke('lab.v1.Lab/Metadata', {}, { metadata: pairs }));
  }
  client.close();
}
