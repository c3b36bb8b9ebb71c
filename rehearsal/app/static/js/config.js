// What the build puts in: where the API is, and the keys that a browser may know.
window.__ENV__ = {};
