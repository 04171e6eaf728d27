/** Addresses that lead inside, in the ways that people write them. */
const INSIDE = [
  ...[
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "0.0.0.0",
    "0",
    "localhost",
    "LOCALHOST",
    "a.localhost",
  ],
  ...[
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.1",
    "192.168.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.0.1",
  ],
  ...[
    "100.64.0.1",
    "100.127.255.254",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "192.0.2.1",
    "192.0.0.1",
    "224.0.0.1",
    "239.1.1.1",
  ],
  ...["240.0.0.1", "255.255.255.255", "3232235777", "0xc0a80101", "0300.0250.1.1", "2852039166", "0xa9fea9fe"],
  ...[
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:8.8.8.8]",
    "[64:ff9b::7f00:1]",
  ],
  ...[
    "[64:ff9b::8.8.8.8]",
    "[2002:7f00:1::]",
    "[2002:a00:1::]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[2001:db8::1]",
  ],
  ...["[2001::1]", "[::127.0.0.1]", "[100::1]", "metadata", "intranet"],
].map((host) => `http://${host}/`);

/** What is no address on the web, or one that nobody has to ask. */
const NO_WEB_ADDRESS = [
  "file:///etc/passwd",
  "gopher://example.com/",
  "ftp://example.com/x",
  "data:text/plain,hello",
  "javascript:alert(1)",
  "http://user:password@example.com/",
  "http://example.com@127.0.0.1/",
  "http://example.com:25/",
  "http://example.com:6379/",
  "http://93.184.216.34:25/",
  "http://[2606:2800:220:1::1]:22/",
  "//example.com/",
  "http://",
  "",
];

/** URLs that a stranger may give and that nobody may ask: for whatever of ours fetches what a task names. */
export const FORBIDDEN_URLS: readonly string[] = [...INSIDE, ...NO_WEB_ADDRESS];
