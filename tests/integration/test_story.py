"""The story of the README, through each of the three clients."""
import json
import pathlib

from rig import ACCOUNT, BASE_ARN, ROLE_ARN, wait_for

HERE = pathlib.Path(__file__).parent


def test_the_aws_cli_goes_from_a_zip_to_a_microvm_that_sleeps_and_wakes(doze):
    zip_file = doze.example_zip("flask-hello")
    doze.aws("s3", "mb", "s3://story")
    doze.aws("s3", "cp", "--only-show-errors", zip_file, "s3://story/app.zip")
    made = json.loads(doze.aws("lambda-microvms", "create-microvm-image", "--name", "story", "--code-artifact",
                               "uri=s3://story/app.zip", "--base-image-arn", BASE_ARN, "--build-role-arn", ROLE_ARN,
                               "--resources", "minimumMemoryInMiB=512"))
    assert made["state"] == "CREATING" and made["imageVersion"] == "1.0"
    arn = doze.image_arn("story")
    assert doze.wait_version(arn, "1.0")["state"] == "SUCCESSFUL", doze.build_log("story")

    vm = json.loads(doze.aws("lambda-microvms", "run-microvm", "--image-identifier", arn, "--idle-policy",
                             '{"maxIdleDurationSeconds":60,"suspendedDurationSeconds":300,"autoResumeEnabled":true}'))
    token = doze.aws("lambda-microvms", "create-microvm-auth-token", "--microvm-identifier", vm["microvmId"],
                     "--expiration-in-minutes", 30, "--allowed-ports", '[{"port":5000}]',
                     "--query", 'authToken."X-aws-proxy-auth"', "--output", "text")
    status, headers, body = doze.request(vm["endpoint"], "/", token, 5000)
    assert status == 200 and headers["Server"] == "gunicorn", body
    assert headers["x-amzn-requestid"]

    doze.aws("lambda-microvms", "suspend-microvm", "--microvm-identifier", vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    status, _, _ = doze.request(vm["endpoint"], "/", token, 5000)
    assert status == 200
    assert doze.state(vm["microvmId"]) == "RUNNING"
    doze.aws("lambda-microvms", "suspend-microvm", "--microvm-identifier", vm["microvmId"])
    doze.aws("lambda-microvms", "resume-microvm", "--microvm-identifier", vm["microvmId"])
    doze.wait_state(vm["microvmId"], "RUNNING")
    listed = json.loads(doze.aws("lambda-microvms", "list-microvms"))
    assert vm["microvmId"] in [item["microvmId"] for item in listed["items"]]
    doze.aws("lambda-microvms", "terminate-microvm", "--microvm-identifier", vm["microvmId"])
    doze.wait_state(vm["microvmId"], "TERMINATED")


def test_boto3_runs_the_counter_whose_state_outlives_sleep(doze, images, microvms):
    vm = microvms(images["counter"], runHookPayload="from-boto3")
    first = doze.call(vm)
    assert first["n"] == 1 and first["file_n"] == 1
    assert first["microvmId"] == vm["microvmId"] and first["payload"] == "from-boto3"
    for cycle in range(1, 4):
        doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
        doze.wait_state(vm["microvmId"], "SUSPENDED")
        doze.api.resume_microvm(microvmIdentifier=vm["microvmId"])
        doze.wait_state(vm["microvmId"], "RUNNING")
        again = doze.call(vm)
        assert again["n"] == 1 + cycle and again["file_n"] == 1 + cycle
        assert again["random"] == first["random"] and again["resumed"] == cycle


def test_every_clone_starts_at_one_with_an_identity_of_its_own(doze, images, microvms):
    vms = [microvms(images["counter"]) for _ in range(6)]
    answers = [doze.call(vm) for vm in vms]
    assert [a["n"] for a in answers] == [1] * 6
    assert [a["microvmId"] for a in answers] == [vm["microvmId"] for vm in vms]
    assert len({a["random"] for a in answers}) == 6


def test_the_javascript_sdk_tells_the_same_story(doze):
    out = json.loads(doze.node(HERE / "story.mjs", doze.example_zip("node-hello"), BASE_ARN, ROLE_ARN,
                               doze.image_arn("js-hello"), doze.data / "ca.crt"))
    assert out["first"]["status"] == 200 and out["afterSleep"]["status"] == 200
    assert out["states"] == ["SUSPENDED", "RUNNING", "TERMINATED"]


def test_the_coordinator_wakes_with_its_data_in_memory(doze, images, microvms):
    vm = microvms(images["coordinator"], idlePolicy={
        "maxIdleDurationSeconds": 600, "suspendedDurationSeconds": 600, "autoResumeEnabled": True})
    token = doze.token(vm["microvmId"])
    before = doze.request(vm["endpoint"], "/", token)
    doze.api.suspend_microvm(microvmIdentifier=vm["microvmId"])
    doze.wait_state(vm["microvmId"], "SUSPENDED")
    after = doze.request(vm["endpoint"], "/", token)
    assert before[0] == 200 and after[0] == 200, (before, after)


def test_doze_builds_runs_calls_and_ends_from_the_shell(doze):
    out = doze.cli("image", "build", "examples/node-hello", "--name", "shell", "--memory", "512",
                   cwd=HERE.parent.parent).stdout
    assert "version 1.0" in out
    ran = doze.cli("run", "she").stdout
    microvm = ran.split()[0]
    assert microvm.startswith("microvm-") and "RUNNING" in ran
    assert doze.cli("curl", microvm, "/", "--", "-o", "/dev/null", "-w", "%{http_code}").stdout == "200"
    assert microvm in doze.cli("ls").stdout
    assert json.loads(doze.cli("--json", "ls").stdout)[0]["imageArn"]
    assert "SUSPENDED" in doze.cli("suspend", microvm[8:14]).stdout
    assert "RUNNING" in doze.cli("resume", microvm[8:14]).stdout
    assert doze.cli("logs", microvm).returncode == 0
    assert "TERMINATED" in doze.cli("rm", microvm).stdout
    assert microvm not in doze.cli("ls").stdout


def test_a_failed_build_ends_with_the_reason_and_a_status(doze, tmp_path):
    (tmp_path / "Dockerfile").write_text(
        "FROM public.ecr.aws/lambda/microvms:al2023-minimal\nRUN echo here-it-breaks && exit 7\n")
    done = doze.cli("image", "build", tmp_path, "--name", "broken", check=False)
    assert done.returncode == 1
    assert "here-it-breaks" in done.stdout and "The container image build failed." in done.stderr
    sentence = "Dockerfile:2: step 2/2 failed: RUN echo here-it-breaks && exit 7: exit status 7: here-it-breaks"
    version = doze.api.get_microvm_image_version(imageIdentifier=doze.image_arn("broken"), imageVersion="1.0")
    assert sentence in done.stderr and sentence in version["stateReason"]
    assert "s  STEP 2/2 RUN echo here-it-breaks && exit 7\n" in done.stdout and "seconds per step" not in done.stdout


def test_who_am_i_is_the_account(doze):
    assert doze.sts.get_caller_identity()["Account"] == ACCOUNT


def test_an_update_makes_a_version_while_the_old_one_serves(doze, images, microvms):
    arn = images["flask-hello"]
    old = microvms(arn)
    uri = doze.upload(doze.example_zip("flask-hello"), "again.zip")
    answer = doze.api.update_microvm_image(imageIdentifier=arn, codeArtifact={"uri": uri}, baseImageArn=BASE_ARN,
                                           buildRoleArn=ROLE_ARN, resources=[{"minimumMemoryInMiB": 512}])
    assert answer["state"] == "UPDATING" and answer["imageVersion"] == "2.0"
    assert answer["latestActiveImageVersion"] == "1.0"
    assert microvms(arn)["imageVersion"] == "1.0"
    assert doze.wait_version(arn, "2.0")["state"] == "SUCCESSFUL"
    wait_for("2.0 is active", lambda: doze.api.get_microvm_image(imageIdentifier=arn)["latestActiveImageVersion"] == "2.0")
    assert microvms(arn)["imageVersion"] == "2.0"
    assert doze.request(old["endpoint"], "/", doze.token(old["microvmId"], 5000), 5000)[0] == 200


def test_the_managed_base_is_listed(doze):
    items = doze.api.list_managed_microvm_images()["items"]
    assert BASE_ARN in [item["imageArn"] for item in items]
