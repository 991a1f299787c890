// The story through the JavaScript SDK: upload, image, run, token, request, sleep, wake, end.
// node story.mjs ZIP BASE_ARN ROLE_ARN IMAGE_ARN CA   (the environment is `doze env`'s)
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

const require = createRequire(process.cwd() + "/package.json"); // where the SDK is installed
const { S3Client, CreateBucketCommand, PutObjectCommand } = require("@aws-sdk/client-s3");
const sdk = require("@aws-sdk/client-lambda-microvms");
const [zip, baseImageArn, buildRoleArn, imageArn, ca] = process.argv.slice(2);
const name = imageArn.split(":").pop();

const s3 = new S3Client({});
const api = new sdk.LambdaMicrovmsClient({});
const call = (command, input) => api.send(new sdk[command + "Command"](input));

async function until(what, check, ms = 400000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > end) throw new Error(what + ": too late");
    await sleep(100);
  }
}

function request(endpoint, token) {
  const [host, port] = endpoint.split(":");
  return new Promise((resolve, reject) => {
    https.get({ host, port: port ?? 443, path: "/", ca: readFileSync(ca), headers: { "X-aws-proxy-auth": token, host: endpoint } }, (answer) => {
      let body = "";
      answer.on("data", (piece) => (body += piece));
      answer.on("end", () => resolve({ status: answer.statusCode, body }));
    }).on("error", reject);
  });
}

await s3.send(new CreateBucketCommand({ Bucket: "js-apps" }));
await s3.send(new PutObjectCommand({ Bucket: "js-apps", Key: "app.zip", Body: readFileSync(zip) }));
await call("CreateMicrovmImage", { name, codeArtifact: { uri: "s3://js-apps/app.zip" }, baseImageArn, buildRoleArn,
  resources: [{ minimumMemoryInMiB: 512 }] });
const version = await until("the build", async () => {
  const got = await call("GetMicrovmImageVersion", { imageIdentifier: imageArn, imageVersion: "1.0" });
  return ["SUCCESSFUL", "FAILED"].includes(got.state) && got;
});
if (version.state !== "SUCCESSFUL") throw new Error("the build failed: " + version.stateReason);

const vm = await call("RunMicrovm", { imageIdentifier: imageArn,
  idlePolicy: { maxIdleDurationSeconds: 60, suspendedDurationSeconds: 300, autoResumeEnabled: true } });
const { authToken } = await call("CreateMicrovmAuthToken", { microvmIdentifier: vm.microvmId, expirationInMinutes: 10,
  allowedPorts: [{ port: 8080 }] });
const token = authToken["X-aws-proxy-auth"];
const states = [];
const reach = (state) => until(state, async () =>
  (await call("GetMicrovm", { microvmIdentifier: vm.microvmId })).state === state && states.push(state), 60000);

const first = await request(vm.endpoint, token);
await call("SuspendMicrovm", { microvmIdentifier: vm.microvmId });
await reach("SUSPENDED");
const afterSleep = await request(vm.endpoint, token);
await reach("RUNNING");
await call("TerminateMicrovm", { microvmIdentifier: vm.microvmId });
await reach("TERMINATED");
console.log(JSON.stringify({ first, afterSleep, states }));
