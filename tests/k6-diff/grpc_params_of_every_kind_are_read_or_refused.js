import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

const params = [
  undefined,
  null,
  5,
  [],
  'x',
  { headers: {} },
  { nope: 1 },
  { timeout: 1000 },
  { timeout: '1s' },
  { timeout: '1000' },
  { timeout: 1000.7 },
  { timeout: 0 },
  { timeout: 'x' },
  { timeout: {} },
  { timeout: null },
  { timeout: undefined },
  { tags: { a: 'b', n: 5, t: true } },
  { tags: { a: {} } },
  { tags: 5 },
  { tags: null },
  { tags: { name: 'mine', url: 'u', method: 'm', status: 's', group: 'g', service: 'sv', scenario: 'sc' } },
  { discardResponseMessage: true },
  { discardResponseMessage: false },
];

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  for (const one of params) {
    attempt(JSON.stringify(one), () => client.invoke('lab.v1.Lab/Wait', { millis: 1 }, one));
  }
  client.close();
}
