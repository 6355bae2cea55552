/** What is measured: one row a workload. `target` is the most CPU that propylon may take, as a share of node http's. */
export const WORKLOADS = [
  { name: "kept", title: "hello, kept connections", handler: "hello", load: ["-c", "16"], target: 0.6 },
  {
    name: "per-connection-tcp",
    title: "hello, one request per connection, TCP",
    handler: "hello",
    load: ["-c", "16", "--keepalive", "off"],
    target: 0.95,
  },
  {
    name: "per-connection-unix",
    title: "hello, one request per connection, Unix socket",
    handler: "hello",
    unix: true,
    load: ["-c", "16", "--keepalive", "off"],
    target: 0.85,
  },
  {
    // HTTP/1.1 has no such thing: node http answers 16 connections instead.
    name: "multiplexed",
    title: "hello, 16 multiplexed on one connection",
    handler: "hello",
    multiplexed: true,
    load: ["-c", "1", "-m", "16"],
    httpLoad: ["-c", "16"],
    target: 0.2,
  },
  {
    name: "echo",
    title: "POST of 64 KiB, echoed",
    handler: "echo",
    load: ["-c", "16", "--body", "65536", "--verify-echo"],
    target: 0.7,
  },
  {
    name: "mebibyte",
    title: "answer of 1 MiB",
    handler: "mebibyte",
    load: ["-c", "16", "--expect-bytes", "1048576"],
    target: 0.85,
  },
  { name: "headers", title: "handler with headers and cookies", handler: "headers", load: ["-c", "16"], target: 0.7 },
  { name: "express", title: "Express hello", handler: "express", load: ["-c", "16"], target: 1 },
];

/** The most CPU, as a share of node-fastcgi's, on kept connections. */
export const NODE_FASTCGI_TARGET = 0.06;
