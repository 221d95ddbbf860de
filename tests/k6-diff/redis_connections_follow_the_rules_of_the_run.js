// redis
// alone
import redis from 'k6/experimental/redis';

const server = __ENV.REDIS.replace('redis://', '');
export const options = { blacklistIPs: ['127.0.0.9/32'], blockHostnames: ['blocked.test'], hosts: { 'mapped.test': server } };

async function show(name, given, call) {
  try {
    const client = new redis.Client(given);
    const value = await (call || ((client) => client.get('k')))(client);
    console.log(name, typeof value, JSON.stringify(value));
  } catch (error) {
    console.log(name, 'throws', String(error), error.error());
  }
}

export async function setup() {
  await show('in setup', `${__ENV.REDIS}/2`, (client) => client.set('k', 'v', 0));
}

export default async function () {
  await show('refused', 'redis://127.0.0.1:1');
  await show('an address that is forbidden', 'redis://127.0.0.9:6379');
  await show('a name that is forbidden', 'redis://blocked.test:6379');
  await show('a name that the run knows', 'redis://mapped.test:1/2');
  await show('no database', 'redis://' + server + '/99');
  await show('a name', 'redis://' + server + '?client_name=joe', (client) => client.sendCommand('CLIENT', 'GETNAME'));
  await show('a password that nobody asked for', 'redis://:nope@' + server + '/2');
  await show('a cluster that is none', { cluster: { nodes: [__ENV.REDIS, __ENV.REDIS] } });
  await show('a cluster of one', { cluster: { nodes: [`${__ENV.REDIS}/2`] } });
  const client = new redis.Client(`${__ENV.REDIS}/2`);
  const blocked = client.sendCommand('BLPOP', 'empty', 1);
  const begin = Date.now();
  await client.get('k');
  console.log('others go on', Date.now() - begin < 900);
  await blocked.catch((error) => console.log(String(error)));
}

export async function teardown() {
  await show('in teardown', `${__ENV.REDIS}/2`);
}
