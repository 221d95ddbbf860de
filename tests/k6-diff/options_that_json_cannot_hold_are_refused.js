export const options = { iterations: 1, cloud: { projectID: parseInt('none', 10) } };
export default function () {}
