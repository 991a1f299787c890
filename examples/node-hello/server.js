// No hooks and no EXPOSE: port 8080 is the default everywhere.
const http = require("node:http");

let visits = 0;

http.createServer((request, response) => {
  visits += 1;
  response.setHeader("content-type", "text/plain");
  response.end(`Hello from Node ${process.version}! This is visit ${visits}.\n`);
}).listen(8080, "0.0.0.0");
