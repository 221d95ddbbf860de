// alone
import { check, fail, group, sleep } from 'k6';
import { Counter } from 'k6/metrics';

const once = (exec) => ({ executor: 'per-vu-iterations', vus: 1, iterations: 1, exec });
const interrupted = (exec) => ({ executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '0s', exec });

export const options = {
  scenarios: {
    returned: once('returned'),
    thrown: once('thrown'),
    failed: once('failed'),
    slept: interrupted('slept'),
    nested: interrupted('nested'),
    looped: interrupted('looped'),
    checked: interrupted('checked'),
    graceful: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '500ms', exec: 'slept' },
  },
};

const after = new Counter('after');

export function returned() {
  group('returned', () => {});
}

export function thrown() {
  group('thrown', () => {
    throw new Error('on purpose');
  });
}

export function failed() {
  group('failed', () => fail('on purpose'));
}

export function slept() {
  try {
    group('slept', () => sleep(30));
  } finally {
    after.add(1);
  }
}

export function nested() {
  group('outer', () => {
    group('inner', () => sleep(0));
    group('second', () => sleep(30));
  });
}

export function looped() {
  group('looped', () => {
    for (;;);
  });
}

export function checked() {
  check(1, { 'before': true, 'interrupted': () => sleep(30), 'after': true });
}
