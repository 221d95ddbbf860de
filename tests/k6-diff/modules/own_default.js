module.exports = { a: 1, default: 7 };
