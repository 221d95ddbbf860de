// flags: --quiet --quiet --vus 1 --vus 2 --iterations 9 --iterations 2 --duration 9s --duration 8s --tag a=1 --tag a=2 --no-summary --no-summary=false
export default function () {
  console.log('ran');
}
