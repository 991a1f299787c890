"""Two accounts, random operations of both in turn: none reads or changes anything of the other.

The operations and their members are those of the role's own table (dump_ops), so that a new one is tried too.  After each
operation every row of the other account is what it was, and nothing in the answer is known to the other account alone.
"""
import json
import os
import random
import re
import sqlite3
import subprocess
import urllib.parse

import pytest

from control_rig import ALONE, BUILD, REGION, Control, wait_for
from signed import Api

DUMP_OPS = ALONE.parent / "api/dump_ops"
if not ALONE.exists() or not DUMP_OPS.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

ACCOUNTS = ("111111111111", "222222222222")
STEPS = 20000 if os.environ.get("DOZE_LONG") else 1200
OPS = json.loads(subprocess.run([DUMP_OPS], check=True, capture_output=True).stdout)
NAMES = ("web", "api", "job")  # both accounts have images of these
CONNECTOR_OF = f"arn:aws:lambda:{REGION}:{{}}:network-connector:{{}}"

# What belongs to an account, as a reader beside control sees it.
ROWS = ("image WHERE account = ?", "version WHERE image IN (SELECT id FROM image WHERE account = ?)",
        "build WHERE image IN (SELECT id FROM image WHERE account = ?)", "microvm WHERE account = ?",
        "token WHERE account = ?", "published WHERE microvm IN (SELECT id FROM microvm WHERE account = ?)",
        "access_key WHERE account = ?", "account WHERE id = ?", "connector WHERE account = ?",
        "connector_version WHERE connector IN (SELECT id FROM connector WHERE account = ?)", "kms_key WHERE account = ?",
        "log_group WHERE account = ?")


@pytest.fixture(autouse=True)
def _daemon_lives():
    """Of conftest.py: here no instance is needed."""


class Tenant:
    """One account: its key, and what it has learnt of itself."""

    def __init__(self, control, account):
        self.account, self.control = account, control
        control.api.call("POST", "/doze/v1/accounts", {"account": account, "name": f"only-{account}"})
        self.keys = [control.api.call("POST", f"/doze/v1/keys?account={account}", {"name": "main"})]
        self.api = Api(control, self.keys[0]["accessKeyId"], self.keys[0]["secretAccessKey"], REGION)
        self.cursors, self.asked = [], ""
        self.db = sqlite3.connect(f"file:{control.dir}/data/control/doze.db?mode=ro", uri=True)
        self.db.row_factory = sqlite3.Row

    def table(self, what):
        return [dict(row) for row in self.db.execute(f"SELECT * FROM {what}", (self.account,))]

    def rows(self):
        return [self.table(what) for what in ROWS]

    def column(self, what, name):
        return [row[name] for row in self.table(what)]

    def marks(self, rows):
        """Texts that nobody else can know."""
        known = {0: ("id",), 2: ("id",), 3: ("id", "endpoint"), 6: ("id", "secret"), 8: ("id",)}
        return {self.account, *(row[name] for table, names in known.items() for row in rows[table] for name in names)}

    def arn(self, name):
        return f"arn:aws:lambda:{REGION}:{self.account}:microvm-image:{name}"


class World:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.control = Control(settings="[build]\nat_once=16\n[publish]\nports=20000-29999\n[network]\nslots=100.148.0.0/16\nsubnets=subnet-a,subnet-b\nsecurity_groups=sg-1\n",
                               machines=True)
        self.tenants = [Tenant(self.control, account) for account in ACCOUNTS]
        self.tried, self.succeeded, self.finished = set(), set(), set()

    # Inputs.

    def either(self, mine, theirs):
        return mine if self.random.random() < 0.6 else theirs

    def pick(self, values, fallback):
        return self.random.choice(values) if values else fallback

    def value(self, name, shape, me, other):
        """Of a member: often what is there, of this account or of the other one."""
        who = self.either(me, other)
        if name in ("imageIdentifier", "Resource"):
            return self.pick([who.arn(self.random.choice(NAMES)), *who.column(ROWS[0], "id")], who.arn("web")) \
                if self.random.random() < 0.2 else who.arn(self.random.choice(NAMES))
        if name == "microvmIdentifier":
            return self.pick(who.column(ROWS[3], "id"), "microvm-none")
        if name == "buildId":
            return self.pick(who.column(ROWS[2], "id"), "none")
        if name == "id":
            return self.pick(who.column(ROWS[2], "id") + who.column(ROWS[3], "id") + who.column(ROWS[0], "id"), "none")
        if name == "key":
            return self.pick(who.column(ROWS[6], "id")[1:] + ["extra"], "extra")  # the first goes on signing
        if name == "publishedPort":
            return str(self.pick(who.column(ROWS[5], "port"), 20000))
        if name == "nextToken":
            return self.pick(who.cursors, "AAAA")
        if name == "account":
            return who.account
        if name == "Identifier":
            return self.pick(who.column(ROWS[8], "id") + who.column(ROWS[8], "name"), "nc-none")
        fixed = {"name": lambda: self.random.choice(NAMES + ("extra",)), "Name": lambda: self.random.choice(NAMES),
                 "imageVersion": lambda: self.random.choice(("1.0", "2.0")), "version": lambda: "1.0",
                 "clientToken": lambda: f"token-{self.random.randrange(6)}",
                 "ClientToken": lambda: f"token-{self.random.randrange(6)}",
                 "baseImageArn": lambda: BUILD["baseImageArn"], "codeArtifact": lambda: BUILD["codeArtifact"],
                 "buildRoleArn": lambda: f"arn:aws:iam::{me.account}:role/build",
                 "executionRoleArn": lambda: f"arn:aws:iam::{me.account}:role/app",
                 "tags": lambda: {"of": f"only-{me.account}"}, "Tags": lambda: {"of": f"only-{me.account}"},
                 "tagKeys": lambda: ["of"], "status": lambda: self.random.choice(("ACTIVE", "INACTIVE")),
                 "allowedPorts": lambda: [{"port": 8080}], "expirationInMinutes": lambda: 5, "port": lambda: 8080,
                 "maxResults": lambda: self.random.choice((1, 2, 50)), "nameFilter": lambda: "e",
                 "action": lambda: "lambda:RunMicrovm", "policy": lambda: '{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}',
                 "wait": lambda: 0, "from": lambda: 0, "overlapSeconds": lambda: 3600, "expiresInSeconds": lambda: 3600,
                 "listen": lambda: "127.0.0.1", "OperatorRole": lambda: f"arn:aws:iam::{me.account}:role/operator",
                 "Configuration": lambda: {"VpcEgressConfiguration": {
                     "SubnetIds": [self.random.choice(("subnet-a", "subnet-b"))], "NetworkProtocol": "IPv4",
                     "SecurityGroupIds": ["sg-1"], "AssociatedComputeResourceTypes": ["MicroVm"]}},
                 "egressNetworkConnectors": lambda: [CONNECTOR_OF.format(who.account, self.pick(
                     who.column(ROWS[8], "id"), "nc-00000000-0000-0000-0000-000000000000"))]}
        return fixed[name]() if name in fixed else self.of_shape(shape)

    def of_shape(self, shape):
        if shape.get("values"):
            return self.random.choice(shape["values"])
        return {"string": lambda: "x" * max(1, shape.get("min", 1)), "integer": lambda: max(shape.get("min", 1), 1),
                "boolean": lambda: True, "list": lambda: [], "map": dict, "structure": dict}[shape["kind"]]()

    WANTED = {"imageVersion", "clientToken", "ClientToken", "nextToken", "maxResults", "tags", "account", "imageIdentifier",
              "nameFilter", "policy", "executionRoleArn", "version", "OperatorRole", "egressNetworkConnectors"}

    def members(self, op, me, other):
        members = {name: self.value(name, member["shape"], me, other) for name, member in op["members"].items()
                   if member["required"] or (name in self.WANTED and self.random.random() < 0.3)}
        if "buildId" in members:  # at random, the three would hardly ever be of one build
            who = self.either(me, other)
            build = self.pick(who.table(ROWS[2]), None)
            names = {row["id"]: row["name"] for row in who.table(ROWS[0])}
            if build:
                members.update(buildId=build["id"], imageVersion=f"{build['version']}.0",
                               imageIdentifier=who.arn(names[build["image"]]))
        return members

    def request(self, op, me, other):
        members = self.members(op, me, other)
        path, query, body = op["path"], [], {}
        for name, value in members.items():
            place = op["members"][name]["place"]
            if place == "path":
                path = path.replace(f"{{{name}}}", urllib.parse.quote(str(value), safe=""))
            elif place == "query":
                query += [(name, str(each)) for each in (value if isinstance(value, list) else [value])]
            else:
                body[name] = value
        if query:
            path += "?" + "&".join(f"{name}={urllib.parse.quote(value, safe='')}" for name, value in sorted(query))
        return path, body

    # A step.

    def settle(self, me):
        """What this account's operation has begun comes to its end, so that it is not taken for a later one's."""
        moving = ((3, ("PENDING", "SUSPENDING", "TERMINATING")), (2, ("PENDING", "IN_PROGRESS")),
                  (0, ("CREATING", "UPDATING", "DELETING")), (8, ("PENDING", "DELETING")), (9, ("PENDING",)))

        def over():
            for build in list(self.control.image.started):
                if build not in self.finished:
                    self.finished.add(build)
                    self.control.image.finish(build)
            ended = {row["id"] for row in me.table(ROWS[3]) if row["state"] == "TERMINATED"}
            return not ended & set(me.column(ROWS[5], "microvm")) and not any(
                row["state"] in states for table, states in moving for row in me.table(ROWS[table]))
        wait_for(f"nothing of {me.account} is under way", over)

    def step(self, name):
        me, other = self.random.sample(self.tenants, 2)
        op = OPS[name]
        path, body = self.request(op, me, other)
        before = other.rows()
        secret = other.marks(before)
        status, headers, data = me.api.raw(op["method"], path, body if body or op["method"] in ("POST", "PUT", "PATCH") else None)
        said = json.dumps(headers) + data.decode(errors="replace")
        asked = urllib.parse.unquote(path) + json.dumps(body)
        me.asked += asked
        if name == "ListEvents":
            asked = me.asked  # they are of what one has asked before
            assert {event["recipientAccountId"] for event in json.loads(data).get("items", [])} <= {me.account}, data
        leaked = [mark for mark in secret if mark in said and mark not in asked]
        where = f"{name} {path} {body} of {me.account}: {status} {data[:400]!r}"
        assert not leaked, f"{leaked} of {other.account} leaked by {where}"
        assert f"only-{other.account}" not in said, where
        assert status < 500 or b"InsufficientCapacity" in data, where
        self.settle(me)
        assert other.rows() == before, f"changed by {where}"
        self.tried.add((name, me.account))
        if status < 300:
            self.succeeded.add(name)
            found = re.search(r'"nextToken":"([^"]+)"', said)
            if found:
                me.cursors = [*me.cursors[-3:], found.group(1)]

    def run(self, steps):
        # Some are drawn more often, so that there is something to have.
        often = ["CreateMicrovmImage", "RunMicrovm", "RunMicrovm", "PublishPort", "CreateKey", "TagResource",
                 "CreateNetworkConnector"]
        for name in often * 6:
            self.step(name)
        for name in OPS:
            for _ in range(60):
                if not {(name, each.account) for each in self.tenants} <= self.tried or name not in self.succeeded:
                    self.step(name)
        for _ in range(steps):
            self.step(self.random.choice([*OPS, *often * 4]))


@pytest.mark.parametrize("seed", [14])
def test_no_operation_of_one_account_reads_or_changes_anything_of_the_other(seed):
    seed = int(os.environ.get("DOZE_SEED", seed))
    print(f"DOZE_SEED={seed}")
    world = World(seed)
    try:
        world.run(STEPS)
        assert world.tried == {(name, account) for name in OPS for account in ACCOUNTS}
        for name in ("CreateMicrovmImage", "RunMicrovm", "GetMicrovm", "ListMicrovms", "TagResource", "CreateKey", "ListKeys",
                     "SuspendMicrovm", "TerminateMicrovm", "CreateMicrovmAuthToken", "GetMicrovmImageBuild", "GetBuild",
                     "ReadBuildLog", "PublishPort", "DeleteMicrovmImage", "UpdateMicrovmImage", "RebuildMicrovmImage", "CreateNetworkConnector",
                     "GetNetworkConnector", "ListNetworkConnectors", "UpdateNetworkConnector", "DeleteNetworkConnector"):
            assert name in world.succeeded, f"{name} never succeeded: {sorted(world.succeeded)}"
        for name in ("Drain", "GetStats", "ImportBase", "CreateAccount", "DeleteAccount", "ListAccounts"):
            assert name not in world.succeeded
    finally:
        world.control.close()
