// differs: k6 does not run a script whose inline map is broken; here that is a warning
export const options = { iterations: 1 };
export default function () {
  console.log('runs');
}
//# sourceMappingURL=data:application/json;base64,bm9uc2Vuc2U=
