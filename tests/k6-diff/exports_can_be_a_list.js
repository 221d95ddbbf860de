const options = { iterations: 1 };
function main() { console.log('main', this === undefined); }
class Unused {}
export { options, main as default, Unused, main as 'a string name' };
