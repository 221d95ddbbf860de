// flags: --log-output none
export const options = { iterations: 1 };
export default function () { console.log('not seen'); }
