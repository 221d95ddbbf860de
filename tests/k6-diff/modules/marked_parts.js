exports.__esModule = true;
exports.two = 2;
