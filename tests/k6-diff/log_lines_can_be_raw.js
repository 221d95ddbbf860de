// flags: --log-format raw
export const options = { iterations: 1 };
export default function () { console.log('just this'); console.warn('and this'); }
