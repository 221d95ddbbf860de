// flags: --summary-trend-stats avg,p(x)
export const options = { iterations: 1 };
export default function () {}
