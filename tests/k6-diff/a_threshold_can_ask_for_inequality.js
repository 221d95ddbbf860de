// differs in stdout: k6 1.1 prints no value after a threshold with `!=`
export const options = { iterations: 3, thresholds: { iterations: ['count!=4'] } };
export default function () {}
