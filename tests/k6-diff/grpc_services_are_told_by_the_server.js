import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

export default function () {
  const client = new grpc.Client();
  attempt('connect', () => client.connect(__ENV.GRPC, { plaintext: true, reflect: true }));
  attempt('invoke', () => client.invoke('lab.v1.Lab/Echo', { aString: 'x', older: { name: 'n' } }).message.older);
  attempt('well known', () => client.invoke('lab.v1.Lab/Echo', { at: '2024-01-02T03:04:05Z' }).message.at);
  attempt('unknown', () => client.invoke('nosuch.Lab/Echo', {}));
  client.close();
  attempt('metadata', () => client.connect(__ENV.GRPC, { plaintext: true, reflect: true, reflectMetadata: { 'x-a': 'b' } }));
  attempt('bad metadata', () => client.connect(__ENV.GRPC, { plaintext: true, reflect: true, reflectMetadata: { 'x a': 'b' } }));
  client.close();
}
