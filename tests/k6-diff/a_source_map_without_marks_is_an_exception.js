export const options = { iterations: 1 };
export default function () {
  console.log('never');
}
//# sourceMappingURL=data:application/json;base64,e30=
