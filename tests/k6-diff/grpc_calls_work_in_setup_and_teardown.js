// flags: -u 2 -i 4
import exec from 'k6/execution';
import grpc from 'k6/net/grpc';
import { attempt } from './modules/attempts.js';

const client = new grpc.Client();
client.loadProtoset('data/grpc/lab.protoset');

function call(name) {
  client.connect(__ENV.GRPC, { plaintext: true });
  attempt(name, () => client.invoke('lab.v1.Lab/Echo', { aString: name }).message.aString);
  client.close();
}

export function setup() {
  call('setup');
  return { seen: client.constructor.name.length > 0 };
}

export default function (data) {
  if (exec.vu.iterationInInstance === 0) client.connect(__ENV.GRPC, { plaintext: true });
  client.invoke('lab.v1.Lab/Wait', { millis: 1 });
  if (exec.scenario.iterationInTest === 0) console.log(JSON.stringify(data));
}

export function teardown() {
  call('teardown');
}
