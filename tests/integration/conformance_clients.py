"""The clients that users have, behind one call: (operation, members) -> what they understood of the answer, or Failed."""
import contextlib
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import urllib.parse
import uuid

import botocore.loaders

HERE = pathlib.Path(__file__).parent
BIN = pathlib.Path(sys.executable).parent
SERVICES = ("lambda-microvms", "lambda-core")


class Failed(Exception):
    def __init__(self, code, status=None):
        super().__init__(f"{status} {code}")
        self.code, self.status = code, status


class Lacks(Exception):
    """The client knows no such operation."""


def models():
    loader = botocore.loaders.Loader()
    return {name: (service, model, op) for service in SERVICES for model in [loader.load_service_model(service, "service-2")]
            for name, op in model["operations"].items()}


def snake(name):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Boto:
    def __init__(self, control):
        self.clients = {service: control.client(service) for service in SERVICES}

    def call(self, service, operation, members):
        from botocore.exceptions import ClientError
        try:
            answer = getattr(self.clients[service], snake(operation))(**members)
        except ClientError as error:
            raise Failed(error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]) from None
        del answer["ResponseMetadata"]
        return answer

    def close(self):
        for client in self.clients.values():
            client.close()


class Cli:
    """The command in this process: its start takes longer than all of its calls."""

    def __init__(self, control):
        self.url = control.url
        os.environ.update(environment(control))
        from awscli.clidriver import create_clidriver
        self.driver = create_clidriver()
        self.known = {service: set(self.driver.session.get_service_model(service).operation_names) for service in SERVICES}

    def call(self, service, operation, members):
        if operation not in self.known[service]:
            raise Lacks
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            rc = self.driver.main([service, snake(operation).replace("_", "-"), "--endpoint-url", self.url, "--output", "json",
                                   *(["--no-paginate"] if operation.startswith("List") and operation != "ListTags" else []),
                                   "--cli-input-json", json.dumps(members)])
        if rc:
            code = err.getvalue().partition("(")[2].partition(")")[0]
            raise Failed(code or err.getvalue())
        return json.loads(out.getvalue() or "{}")

    def close(self):
        pass


class Lines:
    """A program that takes a line of JSON and answers with one."""

    def __init__(self, command, control):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **environment(control)})

    def ask(self, **what):
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


class Js(Lines):
    def __init__(self, control):
        super().__init__([str(BIN / "node"), str(HERE / "conformance.mjs"), str(BIN.parent / "js")], control)

    def call(self, service, operation, members):
        if service != "lambda-microvms":
            raise Lacks
        said = self.ask(operation=operation, members=members)
        if "code" in said:
            raise Failed(said["code"], said["status"])
        return said["answer"]


class Go(Lines):
    """Its core signs; the requests are made by hand, out of botocore's model."""

    def __init__(self, control):
        program = pathlib.Path(os.environ.get("DOZE_BUILD", HERE.parents[1] / "build")).resolve() / "conformance_go"
        subprocess.run(["go", "build", "-o", str(program), "."], check=True, cwd=HERE / "conformance_go",
                       env={**os.environ, "PATH": f"/usr/bin:{os.environ['PATH']}"})
        super().__init__([str(program)], control)
        self.url, self.models = control.url, models()

    def call(self, service, operation, members):
        _, model, op = self.models[operation]
        shape, path, query, body = model["shapes"][op["input"]["shape"]], op["http"]["requestUri"], [], {}
        for name, of in shape["members"].items():
            wire = of.get("locationName", name)
            if of.get("idempotencyToken") or model["shapes"][of["shape"]].get("idempotencyToken"):
                members.setdefault(name, str(uuid.uuid4()))
            if name not in members:
                continue
            if of.get("location") == "uri":
                path = path.replace("{" + wire + "}", urllib.parse.quote(members[name], safe=""))
            elif of.get("location") == "querystring":
                values = members[name] if isinstance(members[name], list) else [members[name]]
                query += [f"{wire}={urllib.parse.quote(str(v), safe='')}" for v in values]
            else:
                body[wire] = members[name]
        url = self.url + path + ("?" + "&".join(query) if query else "")
        said = self.ask(Method=op["http"]["method"], URL=url, Body=json.dumps(body) if body else "")
        if said["status"] >= 300:
            raise Failed(said["code"], said["status"])
        return json.loads(said["body"] or "{}")


CLIENTS = {"boto3": Boto, "AWS CLI": Cli, "JavaScript": Js, "Go": Go}


def available(name):
    return {"JavaScript": (BIN / "node").exists(), "Go": shutil.which("go", path="/usr/bin:" + os.environ["PATH"])}.get(name, True)


def environment(control):
    key, secret = control.api.who
    return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": control.api.region,
            "AWS_DEFAULT_REGION": control.api.region, "AWS_ENDPOINT_URL": control.url, "AWS_MAX_ATTEMPTS": "1",
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_PAGER": ""}
