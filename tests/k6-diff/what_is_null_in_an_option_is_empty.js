export const options = {
  thresholds: { iterations: null },
  tags: { a: null },
  scenarios: { some: { executor: 'shared-iterations', env: { A: null }, tags: { b: null }, gracefulStop: null } },
};
export default function () { console.log(typeof __ENV.A, JSON.stringify(__ENV.A)); }
