import { group, sleep } from 'k6';

export const options = { setupTimeout: '1s' };

export function setup() {
  group('short', () => {});
  group('long', () => sleep(30));
}

export default function () {}
