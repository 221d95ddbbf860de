// env: K6_SUMMARY_TREND_STATS=
export const options = { iterations: 1 };
export default function () {}
export function handleSummary(summary) {
  console.log(JSON.stringify([summary.options.summaryTrendStats, summary.metrics.iteration_duration.values]));
  return {};
}
