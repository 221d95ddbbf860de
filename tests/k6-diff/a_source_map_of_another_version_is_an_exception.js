export const options = { iterations: 1 };
export default function () {
  console.log('never');
}
//# sourceMappingURL=data:application/json;base64,eyJ2ZXJzaW9uIjoyLCJzb3VyY2VzIjpbXSwibmFtZXMiOltdLCJtYXBwaW5ncyI6IiJ9
