export const options = { iterations: 1, summaryTrendStats: ['p( 90 )'] };
export default function () {}
