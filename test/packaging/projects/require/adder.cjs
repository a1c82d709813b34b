// The task.
exports.add = (a, b) => a + b;
