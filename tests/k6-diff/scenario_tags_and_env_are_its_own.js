import { Counter } from 'k6/metrics';
const seen = new Counter('seen');
export const options = {
  tags: { where: 'run', run: 'yes' },
  scenarios: {
    a: { executor: 'shared-iterations', tags: { where: 'scenario' }, env: { WHO: 'a' } },
    b: { executor: 'shared-iterations' },
  },
};
export default function () { seen.add(1, { who: String(__ENV.WHO), where2: 'sample' }); }
