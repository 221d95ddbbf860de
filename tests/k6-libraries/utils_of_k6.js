import { sleep } from 'k6';
import { check as asyncCheck, findBetween, normalDistributionStages, parseHTML, randomIntBetween, randomItem, randomString, tagWithCurrentStageIndex, getCurrentStageIndex, uuidv4 } from 'https://jslib.k6.io/k6-utils/1.6.0/index.js';

export const options = {
  scenarios: { staged: { executor: 'ramping-vus', startVUs: 1, stages: [{ duration: '500ms', target: 1 }] } },
};

export default async function () {
  console.log(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuidv4()));
  console.log(randomString(12, 'x'), randomString(5).length, randomItem(['one']), randomIntBetween(4, 4));
  console.log(findBetween('<a>1</a><a>2</a>', '<a>', '</a>'), findBetween('<a>1</a><a>2</a>', '<a>', '</a>', true).join());
  console.log(JSON.stringify(normalDistributionStages(10, 10, 5)));
  console.log(getCurrentStageIndex());
  tagWithCurrentStageIndex();
  const passed = await asyncCheck(1, { 'sync': (v) => v === 1, 'async': async (v) => v === 1, 'fails': async () => false });
  console.log(passed, typeof parseHTML);
  // The stage ends during the first iteration.
  sleep(1);
}
