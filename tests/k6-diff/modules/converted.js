Object.defineProperty(exports, '__esModule', { value: true });
exports.default = 'dflt';
exports.z = 26;
