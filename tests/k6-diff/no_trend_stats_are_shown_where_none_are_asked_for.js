export const options = { iterations: 1, summaryTrendStats: [] };
export default function () {}
