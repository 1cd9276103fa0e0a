// stand-in for a name server, given to Node by --require: names in POLICY_PLATFORM_TEST_HOSTS (`name:port=127.0.0.1:port`, by commas)
// are reached at the address behind them. TLS still speaks of the name.
const { Socket } = require("node:net");

const hosts = new Map((process.env.POLICY_PLATFORM_TEST_HOSTS ?? "").split(",").map((pair) => pair.split("=")));
const { connect } = Socket.prototype;
Socket.prototype.connect = function (...args) {
  const [options] = Array.isArray(args[0]) ? args[0] : args;
  const meant = typeof options === "object" && options !== null && hosts.get(`${options.host}:${options.port}`);
  if (meant) [options.host, options.port] = meant.split(":");
  return connect.apply(this, args);
};
