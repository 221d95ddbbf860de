export const options = { stages: [{ target: 1 }, { duration: '1s' }] };
export default function () {}
