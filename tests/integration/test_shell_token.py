"""CreateMicrovmShellAuthToken through botocore, against the control role; see control_rig.py."""
import pytest

pytest.importorskip("boto3")
from botocore.exceptions import ClientError  # noqa: E402

from control_rig import ALONE, REGION, Control, wait_for  # noqa: E402

if not ALONE.exists():
    pytest.skip(f"{ALONE} is not built", allow_module_level=True)

CONNECTOR = f"arn:aws:lambda:{REGION}:aws:network-connector:aws-network-connector:"
NEEDED = "Shell access requires SHELL_INGRESS network connector to be configured on the MicroVM."
MIXED = ("ALL_INGRESS cannot be combined with other ingress network connectors; use HTTP_INGRESS and/or SHELL_INGRESS "
         "instead")


@pytest.fixture(autouse=True)
def _daemon_lives(control):
    """Of conftest.py: here it is the role alone that must live."""
    yield
    assert control.process.poll() is None, "control is gone"


@pytest.fixture(scope="module")
def control():
    rig = Control(machines=True)
    yield rig
    rig.close()


@pytest.fixture(scope="module")
def api(control):
    return control.client()


@pytest.fixture(scope="module")
def image(control, api):
    arn = api.create_microvm_image(name="shell", baseImageArn=f"arn:aws:lambda:{REGION}:aws:microvm-image:al2023-1",
                                   buildRoleArn="arn:aws:iam::000000000000:role/build",
                                   codeArtifact={"uri": "s3://apps/app.zip"})["imageArn"]
    control.image.finish_next(0)
    wait_for("the image is CREATED", lambda: api.get_microvm_image(imageIdentifier=arn)["state"] == "CREATED")
    return arn


def run(api, image, *connectors):
    more = {"ingressNetworkConnectors": [CONNECTOR + name for name in connectors]} if connectors else {}
    return api.run_microvm(imageIdentifier=image, **more)["microvmId"]


def refused(api, vm, code, text, minutes=15):
    with pytest.raises(ClientError) as error:
        api.create_microvm_shell_auth_token(microvmIdentifier=vm, expirationInMinutes=minutes)
    answer = error.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == code
    assert text in answer["Error"]["Message"]


@pytest.mark.parametrize("connectors", [("SHELL_INGRESS",), ("HTTP_INGRESS", "SHELL_INGRESS")])
def test_shell_ingress_gives_a_token_of_the_one_key(api, image, connectors):
    made = api.create_microvm_shell_auth_token(microvmIdentifier=run(api, image, *connectors), expirationInMinutes=60)
    assert list(made["authToken"]) == ["X-aws-proxy-auth"]
    parts = made["authToken"]["X-aws-proxy-auth"].split(".")
    assert len(parts) == 5 and parts[1] == ""


@pytest.mark.parametrize("connectors", [(), ("HTTP_INGRESS",), ("ALL_INGRESS",), ("NO_INGRESS",)])
def test_without_shell_ingress_there_is_no_shell(api, image, connectors):
    refused(api, run(api, image, *connectors), ("ValidationException", 400), NEEDED)


@pytest.mark.parametrize("connectors", [("SHELL_INGRESS", "ALL_INGRESS"), ("ALL_INGRESS", "HTTP_INGRESS", "SHELL_INGRESS")])
def test_all_ingress_is_not_combined(api, image, connectors):
    refused(api, run(api, image, *connectors), ("ValidationException", 400), MIXED)


def test_a_token_expires_as_the_other_kind_does(api, image):
    vm = run(api, image, "SHELL_INGRESS")
    refused(api, vm, ("ValidationException", 400), "ExpirationMinutes 61 exceeded max allowed of 60.", 61)


def test_a_terminated_microvm_gets_no_token(api, image):
    vm = run(api, image, "SHELL_INGRESS")
    api.terminate_microvm(microvmIdentifier=vm)
    refused(api, vm, ("ConflictException", 409), "terminated")


def test_a_microvm_that_is_not_there_is_not_found(api):
    refused(api, "microvm-" + "0" * 36, ("ResourceNotFoundException", 404), "")
