"""Execution roles of microVMs: what control gives a guest as its metadata, from where, and for how long (control_rig.py)."""
import datetime
import json
import os

import boto3
import pytest
from botocore.exceptions import ClientError

from control_rig import ACCOUNT, ALONE, REGION, Control, wait_for
from script import refuse
from signed import Refused

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

ROLE = "meta-data/iam/security-credentials/execution_role"
SETTINGS = """[role App]
credentials = doze
policy = {place}/app.json
[role Short]
credentials = doze
max_session_s = 900
[role File]
credentials = static
credentials_file = {place}/file.json
[role Plain]
[role Foreign]
arn = arn:aws:iam::222222222222:role/Foreign
credentials = doze
"""


def role(name, account=ACCOUNT):
    return f"arn:aws:iam::{account}:role/{name}"


class World(Control):
    def __init__(self, place, settings=""):
        (place / "app.json").write_text(json.dumps({"Statement": {"Effect": "Allow", "Action": "lambda:ListMicrovm*",
                                                                  "Resource": "*"}}))
        self.file = place / "file.json"
        self.say({"Version": 1, "AccessKeyId": "ASIAFILE", "SecretAccessKey": "s", "SessionToken": "t"})
        super().__init__(str(place), SETTINGS.format(place=place) + settings, machines=True)
        self.image_of = self.make_image("sandbox", tags={"team": "blue", "a/b": "no folder"})

    def say(self, words):
        self.file.write_text(words if isinstance(words, str) else json.dumps(words))
        self.file.chmod(0o600)

    def new(self, name=None, **more):
        return self.run(self.image_of, **({"executionRoleArn": role(name)} if name else {}), **more)

    def has(self, vm):
        """What the guest serves now."""
        self.settle()
        return self.machine(vm).metadata[-1]

    def credentials(self, vm):
        return json.loads(self.has(vm).get(ROLE, "null"))

    def lasts(self, credentials):
        ends = datetime.datetime.strptime(credentials["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.timezone.utc)
        return ends.timestamp() - self.lies.now()

    def api_of(self, credentials, service="sts"):
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=credentials["AccessKeyId"],
                            aws_secret_access_key=credentials["SecretAccessKey"], aws_session_token=credentials["Token"])



@pytest.fixture(autouse=True)
def _daemon_lives():
    """None is needed here."""


@pytest.fixture(name="world")
def _world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


def test_a_guest_is_told_where_and_what_it_is_and_has_no_credentials_without_a_role(world):
    vm = world.new()
    has = world.has(vm)
    document = json.loads(has.pop("dynamic/instance-identity/document"))
    assert has == {"meta-data/instance-id": vm, "meta-data/placement/region": REGION,
                   "meta-data/placement/availability-zone": REGION + "a", "meta-data/tags/instance/team": "blue"}
    assert document["instanceId"] == vm and document["region"] == REGION and document["accountId"] == ACCOUNT
    assert document["availabilityZone"] == REGION + "a"
    assert world.machine(vm).asked.index("RESUMED") >= 0


def test_a_role_of_doze_is_a_session_with_the_roles_policy_named_after_the_microvm(world):
    vm = world.new("App")
    got = world.credentials(vm)
    assert got["Code"] == "Success" and got["Type"] == "AWS-HMAC" and 3200 < world.lasts(got) <= 3300
    who = world.api_of(got).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/App/{vm}"
    world.api_of(got, "lambda-microvms").list_microvms()
    with pytest.raises(ClientError, match="not authorized to perform: lambda:TerminateMicrovm"):
        world.api_of(got, "lambda-microvms").terminate_microvm(microvmIdentifier=vm)


def test_the_api_is_open_for_guests_whose_role_is_dozes_own_and_for_no_others(world):
    app, plain, file = world.new("App"), world.new(), world.new("File")
    assert [world.machine(vm).has_api for vm in (app, plain, file)] == [True, False, False]
    has = world.has(app)
    assert has["doze/api"] == f"https://169.254.53.54:{world.port}" and has["doze/ca"].startswith("-----BEGIN CERTIFICATE-----")
    assert not [path for vm in (plain, file) for path in world.has(vm) if path.startswith("doze/")]
    world.api.suspend(app)
    world.wait_state(app, "SUSPENDED")
    world.api.resume(app)
    world.wait_state(app, "RUNNING")
    assert world.machine(app).has_api, "the next machine has another slot"


def test_two_microvms_of_an_image_have_credentials_of_their_own(world):
    one, two = (world.credentials(world.new("App")) for _ in range(2))
    assert one["AccessKeyId"] != two["AccessKeyId"] and one["Token"] != two["Token"]


def test_a_session_goes_with_its_microvm(world):
    vm = world.new("App")
    got = world.credentials(vm)
    api = world.api_of(got)
    assert api.get_caller_identity()
    world.api.terminate(vm)
    world.wait_state(vm, "TERMINATED")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        api.get_caller_identity()


def test_credentials_are_renewed_before_they_end(world):
    vm = world.new("App")
    first = world.credentials(vm)
    world.pass_time(40 * 60, step=20)
    assert world.credentials(vm) == first
    world.pass_time(6 * 60, step=2)
    second = world.credentials(vm)
    assert second["AccessKeyId"] != first["AccessKeyId"] and world.lasts(second) > 50 * 60
    assert world.lasts(first) > 5 * 60, "whoever still has those of before may use them"


def test_a_short_session_is_renewed_too(world):
    vm = world.new("Short")
    first = world.credentials(vm)
    assert 850 < world.lasts(first) <= 900
    world.pass_time(10 * 60, step=5)
    assert world.lasts(world.credentials(vm)) > 5 * 60 and world.credentials(vm) != first


def test_credentials_are_fresh_after_a_long_suspend_and_a_jump_of_the_clock(world):
    vm = world.new("App")
    first = world.credentials(vm)
    world.api.suspend(vm)
    world.wait_state(vm, "SUSPENDED")
    world.pass_time(3600, step=60)
    world.lies.step_wall_clock(3600)
    world.api.resume(vm)
    world.wait_state(vm, "RUNNING")
    monitor = world.machine(vm)
    again = world.credentials(vm)
    assert again["AccessKeyId"] != first["AccessKeyId"] and world.lasts(again) > 50 * 60
    assert abs(world.lasts({"Expiration": again["LastUpdated"]})) < 60, "by the clock as it is set now"
    assert not [m for m in monitor.metadata if first["AccessKeyId"] in m.get(ROLE, "")], "nothing old was given again"


def test_the_hook_is_called_when_the_credentials_are_there(world):
    image = world.make_image("hooked", hooks={"port": 9000, "microvmHooks": {"run": "ENABLED"}, "microvmImageHooks": {"ready": "ENABLED"}})
    seen = []

    def hook(ask):
        seen.append(ROLE in ask.actor.metadata[-1])
        ask.honest()
    world.script.always("HOOK", hook)
    world.run(image, executionRoleArn=role("App"))
    assert seen == [True]


def test_a_file_is_read_again_at_each_renewal(world):
    vm = world.new("File")
    got = world.credentials(vm)
    assert (got["AccessKeyId"], got["SecretAccessKey"], got["Token"]) == ("ASIAFILE", "s", "t")
    assert 3200 < world.lasts(got) <= 3300
    world.say({"AccessKeyId": "ASIANEXT", "SecretAccessKey": "s2"})
    world.pass_time(50 * 60, step=20)
    assert world.credentials(vm)["AccessKeyId"] == "ASIANEXT" and world.credentials(vm)["Token"] == ""


def test_a_file_that_is_wrong_costs_no_microvm_and_is_tried_again(world):
    world.say("not JSON")
    vm = world.new("File")
    assert world.credentials(vm) is None
    world.say({"AccessKeyId": "ASIALATE", "SecretAccessKey": "s", "Expiration": "2099-01-01T00:00:00Z"})
    world.pass_time(120)
    assert world.credentials(vm)["AccessKeyId"] == "ASIALATE"
    world.file.chmod(0o640)
    assert world.credentials(world.new("File")) is None, "others may read it"
    os.remove(world.file)
    vm = world.new("File")
    assert world.credentials(vm) is None


def test_a_new_control_goes_on_with_the_credentials_of_the_one_before(world):
    vm = world.new("App")
    got = world.credentials(vm)
    world.restart()
    world.pass_time(3)
    assert world.credentials(vm)["AccessKeyId"] == got["AccessKeyId"], "whoever has them goes on"
    world.pass_time(50 * 60, step=20)
    assert world.lasts(world.credentials(vm)) > 5 * 60


def test_roles_that_give_none_are_accepted(world):
    for arn in (role("Plain"), role("Nobody"), role("Foreign", "222222222222"), role("App", "333333333333")):
        vm = world.run(world.image_of, executionRoleArn=arn)
        assert world.credentials(vm) is None, arn


def test_unknown_roles_are_refused_where_that_is_configured(tmp_path):
    world = Control(str(tmp_path), "[compat]\nunknown_roles = refuse\n[role build]\n[role App]\n", machines=True)
    try:
        image = world.make_image("sandbox")
        world.run(image, executionRoleArn=role("App"))
        world.run(image)
        with pytest.raises(Refused, match="Nobody is not one of this server's configuration") as refused:
            world.api.run(image, executionRoleArn=role("Nobody"))
        assert refused.value.status == 400
        with pytest.raises(Refused, match="Nobody is not one"):
            world.make_image("other", buildRoleArn=role("Nobody"))
    finally:
        world.close()




PROGRAM = """[role Program]
credentials = process
credentials_process = /usr/local/bin/credentials --for app
credentials_user = nobody
"""


def prints(words):
    def act(ask):
        os.pwrite(ask.fds[0], words.encode(), 0)
        ask.answer("DONE")
    return act


def test_a_program_of_priv_gives_them_and_one_run_serves_all_who_ask_meanwhile(tmp_path):
    world = World(tmp_path, PROGRAM)
    try:
        asked = []
        world.priv.script.always("CREDENTIALS", asked.append)
        vms = [world.api.run(world.image_of, executionRoleArn=role("Program")) for _ in range(3)]
        world.settle()
        assert [a.body.role for a in asked] == [b"Program"], "a name, and no program"
        answer = prints(json.dumps({"Version": 1, "AccessKeyId": "ASIAPROG", "SecretAccessKey": "s", "SessionToken": "t"}))
        world.priv.script.always("CREDENTIALS", answer)  # one that waited for a slot asks later
        answer(asked[0])
        for vm in vms:
            world.wait_state(vm, "RUNNING")
            assert wait_for("they are in the guest", lambda vm=vm: world.credentials(vm))["AccessKeyId"] == "ASIAPROG"
    finally:
        world.close()


def test_a_program_that_fails_or_prints_no_credentials_is_run_again(tmp_path):
    world = World(tmp_path, PROGRAM)
    try:
        world.priv.script.always("CREDENTIALS", refuse("INVALID", "credentials_process of [role Program] ended with 3"))
        vm = world.new("Program")
        assert world.credentials(vm) is None
        for words in ("", "garbage", "x" * 65536, json.dumps({"AccessKeyId": "A", "SecretAccessKey": "s",
                                                              "Expiration": "2001-01-01T00:00:00Z"})):
            world.priv.script.always("CREDENTIALS", prints(words))
            world.pass_time(70)
            assert world.credentials(vm) is None, words[:20]
        world.priv.script.always("CREDENTIALS", prints('{"AccessKeyId": "ASIAWELL", "SecretAccessKey": "s"}\n'))
        world.pass_time(70)
        assert world.credentials(vm)["AccessKeyId"] == "ASIAWELL"
    finally:
        world.close()


def test_a_start_waits_for_a_program_for_5_s_alone_and_priv_may_come_back(tmp_path):
    world = World(tmp_path, PROGRAM)
    try:
        asked = []
        world.priv.script.always("CREDENTIALS", asked.append)
        vm = world.api.run(world.image_of, executionRoleArn=role("Program"))
        world.settle()
        assert world.api.state(vm) == "PENDING"
        world.pass_time(7)
        world.wait_state(vm, "RUNNING")
        assert world.credentials(vm) is None
        prints('{"AccessKeyId": "ASIALATE", "SecretAccessKey": "s"}')(asked[-1])
        assert world.credentials(vm)["AccessKeyId"] == "ASIALATE"
    finally:
        world.close()
