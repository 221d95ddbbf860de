// differs in stdout: k6 1.1 prints no value behind a threshold with `!=`
export const options = { iterations: 3, thresholds: { iterations: ['count!=4'] } };
export default function () {}
