// differs in log: the message says what is wrong with the map in its own words, and once
export const options = { iterations: 1 };
export default function () {
  console.log('runs');
}
//# sourceMappingURL=data:application/json;base64,bm9uc2Vuc2U=
