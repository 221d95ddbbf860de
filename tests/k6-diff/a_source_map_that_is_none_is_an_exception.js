// differs in log: the reader of JSON has its own words for what is wrong in the map, and k6 says it twice
export const options = { iterations: 1 };
export default function () {
  console.log('runs');
}
//# sourceMappingURL=data:application/json;base64,bm9uc2Vuc2U=
