exports.top = open('./named.txt').trim();
exports.called = () => open('./named.txt').trim();
