import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

const messages = [
  { nope: 1 },
  { aString: 'üü', nope: 1 },
  { AString: 'x' },
  { anInt32: 'x' },
  { anInt32: 1.5 },
  { anInt32: 2147483648 },
  { anInt32: true },
  { anInt32: ' 1' },
  { aUint32: -1 },
  { aFloat: 1e39 },
  { aBool: 'true' },
  { aBool: 1 },
  { aString: 5 },
  { someBytes: 'a' },
  { someBytes: [1, 2] },
  { someBytes: new Uint8Array([104, 105]) },
  { colour: 'NOPE' },
  { colour: '1' },
  { inner: 'x' },
  { inner: [] },
  { texts: [null] },
  { texts: {} },
  { longs: [null] },
  { longs: 5 },
  { byNumber: { x: {} } },
  { byTruth: { 1: 'RED' } },
  { counts: { a: null } },
  { counts: [] },
  { word: 'a', number: 1 },
  { renamed: 'x', otherName: 'y' },
  { at: '2024-01-02' },
  { at: { seconds: 5 } },
  { lasts: '1m' },
  { lasts: '315576000001s' },
  { lasts: '1.1234567891s' },
  { mask: 'a_b' },
  { object: [] },
  { list: {} },
  { packed: { text: 'in' } },
  { packed: { '@type': 'type.googleapis.com/no.Such' } },
  { packed: { '@type': 'type.googleapis.com/lab.v1.Text', nope: 'in' } },
  { empty: { a: 1 } },
  { wInt64: { value: 5 } },
  { older: {} },
  'x',
  [],
  () => 1,
  null,
];

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  for (const message of messages) {
    attempt(JSON.stringify(message), () => client.invoke('lab.v1.Lab/Echo', message).status);
  }
  attempt('no request', () => client.invoke('lab.v1.Lab/Echo').status);
  for (const name of ['lab.v1.Lab/None', 'Lab/Echo', '', '/', undefined, null, 5, 'lab.v1.Lab.Echo']) {
    attempt(String(name), () => client.invoke(name, {}).status);
  }
  client.close();
}
