// differs in log: the JSON parser has its own message for the error in the map, and k6 logs it twice
export const options = { iterations: 1 };
export default function () {
  console.log('runs');
}
//# sourceMappingURL=data:application/json;base64,bm9uc2Vuc2U=
