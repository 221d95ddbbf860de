// flags: --log-format json --log-output stdout -q --summary-mode compact
export const options = { iterations: 1 };
export default function () { console.log('as json'); }
