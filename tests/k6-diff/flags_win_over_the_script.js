// flags: --vus 2 --iterations 6 --tag who=flag
export const options = { stages: [{ duration: '1h', target: 5 }], tags: { who: 'script', gone: 'yes' } };
export default function () {}
