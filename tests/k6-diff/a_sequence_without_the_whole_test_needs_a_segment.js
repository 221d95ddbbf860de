export const options = { iterations: 1, executionSegmentSequence: '0,1/2,1' };
export default function () {}
