import grpc from 'k6/net/grpc';
import { attempt, sorted } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

function echo(message) {
  return client.invoke('lab.v1.Lab/Echo', message).message;
}

const messages = [
  { a_double: 1.5, a_float: 0.1, an_int32: -5, an_int64: 9007199254740993, a_uint64: '18446744073709551615', some_bytes: 'aGk=' },
  { aDouble: 1e300, aFloat: 1e10, anInt64: '-9223372036854775808', aBool: true },
  { a_double: 1e21, a_float: 16777216.5 },
  { a_double: 0.0000001, a_float: 3.4e38 },
  { aDouble: 'NaN', aFloat: 'Infinity' },
  { aDouble: '1.5', aFloat: '2' },
  { anInt32: '1e3' },
  { anInt32: '1.0' },
  { aSint32: -1, aSint64: '-2', aFixed32: 3, aFixed64: '4', anSfixed32: -5, anSfixed64: -6 },
  { colour: 'RED', colours: ['RED', 2, 77, -1] },
  { someBytes: '_-8' },
  { aString: null, perhaps: null, colour: null, longs: null, inner: null, wInt64: null },
  { inner: {}, perhaps: 0, perhapsText: '' },
  { longs: [1, '2', -3], texts: [{ text: 'a' }, {}] },
  { counts: { b: '2', a: 1 }, byNumber: { 5: { text: 'x' }, '-1': {} }, byTruth: { true: 'RED', false: 2 } },
  { word: '' },
  { number: 0 },
  { sentence: {} },
  { word: null, number: 1 },
  { renamed: 'x' },
  { otherName: 'x' },
  { at: '2024-01-02T03:04:05.123456789+02:00' },
  { at: '2024-01-02T03:04:05.12Z' },
  { at: '0001-01-01T00:00:00Z' },
  { lasts: '1.5s' },
  { lasts: '-0.000000001s' },
  { lasts: '.5s' },
  { mask: 'a.b,cD' },
  { mask: '' },
  { object: { a: 1, b: [true, null, 'x', { c: 1.5 }] } },
  { anything: null },
  { anything: [1, { a: null }] },
  { list: [1, 'a', null] },
  { packed: { '@type': 'type.googleapis.com/lab.v1.Text', text: 'in' } },
  { packed: { text: 'in', '@type': 'lab.v1.Text' } },
  { packed: { '@type': 'type.googleapis.com/google.protobuf.Duration', value: '1s' } },
  { packed: { '@type': 'type.googleapis.com/google.protobuf.Empty' } },
  { packed: {} },
  { empty: {} },
  { wDouble: 1.5, wInt64: 5, wUint32: 7, wBool: false, wString: '', wBytes: 'aGk=' },
  { nothing: 'NULL_VALUE' },
  { deeper: { aString: 'x' } },
  { older: { name: 'n' } },
  { older: { name: 'n', size: 3, colour: 'RED', packed: [1, 2], Place: { town: 't' } } },
  { a_string: '😀 \u0000 " \\ < & \u2028' },
  { aString: undefined },
  { aString: new Date(0) },
];

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const empty = echo({});
  console.log(JSON.stringify(sorted(empty)));
  for (const message of messages) {
    // The differences from an empty message.
    attempt(JSON.stringify(message), () => {
      const answer = echo(message);
      const isOther = (key) => JSON.stringify(sorted(answer[key])) !== JSON.stringify(sorted(empty[key]));
      return Object.fromEntries(Object.keys(answer).filter(isOther).map((key) => [key, answer[key]]));
    });
  }
  client.close();
}
