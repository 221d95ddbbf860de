import grpc from 'k6/net/grpc';
import { sorted } from './modules/attempts.js';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

async function wait(name, promise) {
  try {
    console.log(name, JSON.stringify(sorted(await promise)));
  } catch (error) {
    console.log(name, 'rejected', error.name, String(error));
  }
}

export default async function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const both = [50, 20].map((millis) => client.asyncInvoke('lab.v1.Lab/Wait', { millis }));
  console.log(both[0] instanceof Promise);
  await wait('both', Promise.all(both));
  await wait('failed', client.asyncInvoke('lab.v1.Lab/Fail', { code: 3, message: 'm' }));
  await wait('late', client.asyncInvoke('lab.v1.Lab/Wait', { millis: 2000 }, { timeout: 50 }));
  await wait('unknown', client.asyncInvoke('lab.v1.Lab/Nope', {}));
  await wait('params', client.asyncInvoke('lab.v1.Lab/Wait', {}, { nope: 1 }));
  await wait('request', client.asyncInvoke('lab.v1.Lab/Wait', { nope: 5 }));
  await wait('no request', client.asyncInvoke('lab.v1.Lab/Wait'));
  await wait('no method', client.asyncInvoke(''));
  client.close();
}
