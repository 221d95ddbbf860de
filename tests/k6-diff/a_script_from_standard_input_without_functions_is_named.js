// stdin
export const options = { iterations: 1 };
